// pdpb.PD: members, ids and time.
#include "lib/base/status.h"
#include "pd/meta/meta_store.h"
#include "pd/service/grpc/pd_service.h"
#include "pd/tso/tso.h"

namespace tikv::pd {
namespace {

// Version, path and hash travel only over HTTP.
void Fill(const meta::Member& m, pdpb::Member* out) {
  out->set_name(m.name);
  out->set_member_id(m.id);
  for (const auto& u : m.peer_urls) out->add_peer_urls(u);
  for (const auto& u : m.client_urls) out->add_client_urls(u);
}

void FillTimestamp(const tso::Timestamp& ts, pdpb::Timestamp* out) {
  out->set_physical(ts.physical);
  out->set_logical(ts.logical);
}

}  // namespace

absl::Status CheckClusterId(uint64_t ours, uint64_t theirs) {
  if (ours == theirs) return absl::OkStatus();
  return FailedPrecondition("mismatch cluster id, need {} but got {}", ours, theirs);
}

void PdService::Refuse(rpc::Server* server, const std::string& name) {
  server->RegisterUnary("/pdpb.PD/" + name, [name](rpc::UnaryCall&, rpc::RawResponder responder) {
    responder.Fail(Unimplemented("{} is not supported", name));
  });
}

void PdService::Register(rpc::Server* server) {
  RegisterMembers(server);
  RegisterStores(server);
  RegisterRegions(server);
  RegisterGc(server);
  RegisterStreams(server);
}

void PdService::RegisterMembers(rpc::Server* server) {
  Unary(server, "GetMembers", kAnyMember, &PdService::GetMembers);
  Unary(server, "GetClusterInfo", kLeader, &PdService::GetClusterInfo);
  Unary(server, "AllocID", kLeader | kClusterId, &PdService::AllocID);
  Unary(server, "GetMinTS", kLeader | kClusterId, &PdService::GetMinTS);
  Unary(server, "ReportMinResolvedTS", kOrdinary, &PdService::ReportMinResolvedTS);
  Unary(server, "SetExternalTimestamp", kOrdinary, &PdService::SetExternalTimestamp);
  Unary(server, "GetExternalTimestamp", kOrdinary, &PdService::GetExternalTimestamp);
  Refuse(server, "SyncMaxTS");
  Refuse(server, "GetDCLocationInfo");
}

void PdService::GetMembers(const pdpb::GetMembersRequest&, Reply<pdpb::GetMembersResponse> reply) {
  if (reply.cluster_id() == 0) return reply.Fail(Unavailable("server not started"));
  pdpb::GetMembersResponse r;
  meta::MetaStore* meta = cluster_->host().meta;
  for (const meta::Member& m : meta->Members()) Fill(m, r.add_members());
  if (auto leader = meta->Leader()) {
    Fill(*leader, r.mutable_leader());
    Fill(*leader, r.mutable_etcd_leader());
  }
  reply.Send(std::move(r));
}

void PdService::GetClusterInfo(const pdpb::GetClusterInfoRequest&,
                               Reply<pdpb::GetClusterInfoResponse> reply) {
  pdpb::GetClusterInfoResponse r;
  r.add_servicemodes(pdpb::PD_SVC_MODE);
  reply.Send(std::move(r));
}

void PdService::AllocID(const pdpb::AllocIDRequest& request, Reply<pdpb::AllocIDResponse> reply) {
  const uint32_t count = std::max<uint32_t>(1, request.count());
  cluster_->AllocIds(count,
                     [count, reply = std::move(reply)](absl::StatusOr<uint64_t> last) mutable {
                       if (!last.ok()) return reply.Error(last.status());
                       pdpb::AllocIDResponse r;
                       r.set_id(*last);
                       if (count > 1) r.set_count(count);
                       reply.Send(std::move(r));
                     });
}

void PdService::GetMinTS(const pdpb::GetMinTSRequest&, Reply<pdpb::GetMinTSResponse> reply) {
  auto ts = cluster_->host().tso->Allocate(1);
  if (!ts.ok()) return reply.Fail(ts.status());
  pdpb::GetMinTSResponse r;
  FillTimestamp(*ts, r.mutable_timestamp());
  reply.Send(std::move(r));
}

void PdService::ReportMinResolvedTS(const pdpb::ReportMinResolvedTsRequest& request,
                                    Reply<pdpb::ReportMinResolvedTsResponse> reply) {
  const bool known = cluster_->With([&](ClusterState& s) {
    const StoreInfo* store = s.stores.Find(StoreId(request.store_id()));
    if (store == nullptr || store->removed()) return false;
    uint64_t& ts = s.min_resolved_ts[request.store_id()];
    ts = std::max(ts, request.min_resolved_ts());
    return true;
  });
  if (!known) {
    return reply.HeaderError(pdpb::UNKNOWN, fmt::format("store {} not found", request.store_id()));
  }
  reply.Send();
}

void PdService::SetExternalTimestamp(const pdpb::SetExternalTimestampRequest& request,
                                     Reply<pdpb::SetExternalTimestampResponse> reply) {
  auto now = cluster_->host().tso->Allocate(1);
  if (!now.ok()) return reply.Fail(now.status());
  const uint64_t limit = now->Compose();
  const uint64_t ts = request.timestamp();
  const std::string key = cluster_->keys().ExternalTimestamp();
  cluster_->Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        if (ts <= s.external_ts) {
          return InvalidArgument(
              "the external timestamp {} should be larger than current external timestamp {}", ts,
              s.external_ts);
        }
        if (ts > limit)
          return InvalidArgument("the external timestamp {} should not be larger than global ts {}",
                                 ts, limit);
        s.external_ts = ts;
        return std::vector<meta::Op>{meta::Op::Put(key, std::to_string(ts))};
      },
      [reply = std::move(reply)](absl::Status s) mutable {
        s.ok() ? reply.Send() : reply.Error(s, pdpb::INVALID_VALUE);
      });
}

void PdService::GetExternalTimestamp(const pdpb::GetExternalTimestampRequest&,
                                     Reply<pdpb::GetExternalTimestampResponse> reply) {
  pdpb::GetExternalTimestampResponse r;
  r.set_timestamp(cluster_->With([](ClusterState& s) { return s.external_ts; }));
  SendRead(std::move(reply), std::move(r));
}

}  // namespace tikv::pd
