// etcdserverpb.Cluster.
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/service/etcd/context.h"

namespace tikv::pd::etcd {
namespace {

using namespace etcdserverpb;
using meta::MembershipOp;
using Urls = google::protobuf::RepeatedPtrField<std::string>;

bool IsUrl(const std::string& url) {
  const size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (scheme == 0) return false;
  const size_t colon = url.rfind(':');
  return colon != std::string::npos && colon > scheme && colon + 1 < url.size() &&
         url.find('/', scheme) == std::string::npos;
}

absl::Status CheckUrls(const Urls& urls) {
  if (urls.empty() || !std::all_of(urls.begin(), urls.end(), IsUrl)) {
    return meta::ErrMemberBadUrls();
  }
  return absl::OkStatus();
}

template <class Response>
void FillMembers(EtcdContext* context, Response* response) {
  for (const auto& [id, member] : context->store->replica().Members()) {
    *response->add_members() = member;
  }
  context->store->FillHeader(response->mutable_header());
}

void List(EtcdContext* context, const MemberListRequest& request, Reply<MemberListResponse> reply) {
  ReadWhenReady(context, !request.linearizable(),
                [context, reply = std::move(reply)](absl::Status ready) mutable {
                  if (!ready.ok()) return std::move(reply)(ready);
                  MemberListResponse response;
                  FillMembers(context, &response);
                  std::move(reply)(std::move(response));
                });
}

void Add(EtcdContext* context, const MemberAddRequest& request, Reply<MemberAddResponse> reply) {
  if (absl::Status bad = CheckUrls(request.peerurls()); !bad.ok()) return std::move(reply)(bad);
  Member member;
  member.set_id(context->RandomId() | 1);
  *member.mutable_peerurls() = request.peerurls();
  member.set_islearner(request.islearner());
  context->store->replica().ChangeMembership(
      request.islearner() ? MembershipOp::kAddLearner : MembershipOp::kAdd, member,
      [context, member, reply = std::move(reply)](absl::Status status) mutable {
        if (!status.ok()) return std::move(reply)(status);
        MemberAddResponse response;
        *response.mutable_member() = member;
        FillMembers(context, &response);
        std::move(reply)(std::move(response));
      });
}

template <class Response>
void Change(EtcdContext* context, MembershipOp op, uint64_t id, Reply<Response> reply) {
  Member member;
  member.set_id(id);
  context->store->replica().ChangeMembership(
      op, member, [context, reply = std::move(reply)](absl::Status status) mutable {
        if (!status.ok()) return std::move(reply)(status);
        Response response;
        FillMembers(context, &response);
        std::move(reply)(std::move(response));
      });
}

void Update(EtcdContext* context, const MemberUpdateRequest& request,
            Reply<MemberUpdateResponse> reply) {
  if (absl::Status bad = CheckUrls(request.peerurls()); !bad.ok()) return std::move(reply)(bad);
  Member member;
  member.set_id(request.id());
  *member.mutable_peerurls() = request.peerurls();
  context->store->replica().Submit(
      meta::CommandType::kMemberUpdate, member, 0,
      [context, reply = std::move(reply)](absl::StatusOr<meta::Response> done) mutable {
        if (!done.ok()) return std::move(reply)(done.status());
        MemberUpdateResponse response;
        FillMembers(context, &response);
        std::move(reply)(std::move(response));
      });
}

}  // namespace

void RegisterCluster(EtcdContext* context, rpc::Server& server, http::Router& router) {
  Serve<MemberListRequest, MemberListResponse>(
      server, router, "/etcdserverpb.Cluster/MemberList", "/v3/cluster/member/list",
      [context](const MemberListRequest& request, Reply<MemberListResponse> reply) {
        List(context, request, std::move(reply));
      });
  Serve<MemberAddRequest, MemberAddResponse>(
      server, router, "/etcdserverpb.Cluster/MemberAdd", "/v3/cluster/member/add",
      [context](const MemberAddRequest& request, Reply<MemberAddResponse> reply) {
        Add(context, request, std::move(reply));
      });
  Serve<MemberRemoveRequest, MemberRemoveResponse>(
      server, router, "/etcdserverpb.Cluster/MemberRemove", "/v3/cluster/member/remove",
      [context](const MemberRemoveRequest& request, Reply<MemberRemoveResponse> reply) {
        Change(context, MembershipOp::kRemove, request.id(), std::move(reply));
      });
  Serve<MemberUpdateRequest, MemberUpdateResponse>(
      server, router, "/etcdserverpb.Cluster/MemberUpdate", "/v3/cluster/member/update",
      [context](const MemberUpdateRequest& request, Reply<MemberUpdateResponse> reply) {
        Update(context, request, std::move(reply));
      });
  Serve<MemberPromoteRequest, MemberPromoteResponse>(
      server, router, "/etcdserverpb.Cluster/MemberPromote", "/v3/cluster/member/promote",
      [context](const MemberPromoteRequest& request, Reply<MemberPromoteResponse> reply) {
        Change(context, MembershipOp::kPromote, request.id(), std::move(reply));
      });
}

}  // namespace tikv::pd::etcd
