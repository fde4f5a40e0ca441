// etcdserverpb.Lease.
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/mvcc/state_machine.h"
#include "pd/service/etcd/context.h"

namespace tikv::pd::etcd {
namespace {

using namespace etcdserverpb;
using meta::CommandType;

// As etcd: one and a half elections, in whole seconds.
constexpr int64_t kMinTtlSeconds = 2;

void Grant(EtcdContext* context, LeaseGrantRequest request, Reply<LeaseGrantResponse> reply) {
  if (request.id() == 0) request.set_id(static_cast<int64_t>(context->RandomId()));
  request.set_ttl(std::max(request.ttl(), kMinTtlSeconds));
  Submit<LeaseGrantResponse>(context, CommandType::kLeaseGrant, request, std::move(reply));
}

void TimeToLive(EtcdContext* context, const LeaseTimeToLiveRequest& request,
                Reply<LeaseTimeToLiveResponse> reply) {
  auto answer = [context, request,
                 reply = std::move(reply)](absl::StatusOr<int64_t> seconds) mutable {
    if (!seconds.ok() && !absl::IsNotFound(seconds.status())) {
      return std::move(reply)(seconds.status());
    }
    LeaseTimeToLiveResponse response;
    response.set_id(request.id());
    response.set_ttl(-1);
    auto state = context->store->machine().TakeSnapshot();
    if (seconds.ok()) {
      auto leases = meta::ReadLeases(*state.snapshot);
      if (!leases.ok()) return std::move(reply)(leases.status());
      if (auto it = leases->find(request.id()); it != leases->end()) {
        response.set_ttl(*seconds);
        response.set_grantedttl(it->second);
      }
    }
    if (request.keys() && response.ttl() >= 0) {
      auto keys = meta::AttachedKeys(*state.snapshot, request.id());
      if (!keys.ok()) return std::move(reply)(keys.status());
      for (std::string& key : *keys) response.add_keys(std::move(key));
    }
    context->store->FillHeader(response.mutable_header());
    std::move(reply)(std::move(response));
  };
  context->store->replica().LeaseRemaining(
      request.id(), [context, answer = std::move(answer)](absl::StatusOr<int64_t> seconds) mutable {
        // The leader may know of a lease whose grant has not reached us yet.
        ReadWhenReady(
            context, false,
            [seconds = std::move(seconds), answer = std::move(answer)](absl::Status ready) mutable {
              answer(ready.ok() ? std::move(seconds) : std::move(ready));
            });
      });
}

void List(EtcdContext* context, Reply<LeaseLeasesResponse> reply) {
  ReadWhenReady(context, false, [context, reply = std::move(reply)](absl::Status ready) mutable {
    if (!ready.ok()) return std::move(reply)(ready);
    auto leases = meta::ReadLeases(*context->store->machine().TakeSnapshot().snapshot);
    if (!leases.ok()) return std::move(reply)(leases.status());
    LeaseLeasesResponse response;
    for (const auto& [id, ttl] : *leases) response.add_leases()->set_id(id);
    context->store->FillHeader(response.mutable_header());
    std::move(reply)(std::move(response));
  });
}

using KeepAliveStream = rpc::TypedStream<LeaseKeepAliveResponse>;

// TTL 0 in the answer: there is no such lease.
void KeepAlive(EtcdContext* context, int64_t id, KeepAliveStream stream) {
  context->store->replica().RenewLease(id, [context, id, stream](absl::StatusOr<int64_t> ttl) {
    if (!ttl.ok() && !absl::IsNotFound(ttl.status())) return stream.Finish(ttl.status());
    LeaseKeepAliveResponse response;
    response.set_id(id);
    response.set_ttl(ttl.ok() ? *ttl : 0);
    context->store->FillHeader(response.mutable_header());
    stream.Send(response);
  });
}

class KeepAliveHandler : public rpc::TypedStreamHandler<LeaseKeepAliveRequest> {
 public:
  KeepAliveHandler(EtcdContext* context, KeepAliveStream stream)
      : context_(context), stream_(std::move(stream)) {}
  void OnMessage(const LeaseKeepAliveRequest& request) override {
    KeepAlive(context_, request.id(), stream_);
  }
  void OnHalfClose() override { stream_.Finish(absl::OkStatus()); }
  void OnClosed(const absl::Status&) override {}

 private:
  EtcdContext* const context_;
  const KeepAliveStream stream_;
};

}  // namespace

void RegisterLease(EtcdContext* context, rpc::Server& server, http::Router& router) {
  Serve<LeaseGrantRequest, LeaseGrantResponse>(
      server, router, "/etcdserverpb.Lease/LeaseGrant", "/v3/lease/grant",
      [context](const LeaseGrantRequest& request, Reply<LeaseGrantResponse> reply) {
        Grant(context, request, std::move(reply));
      });
  Serve<LeaseRevokeRequest, LeaseRevokeResponse>(
      server, router, "/etcdserverpb.Lease/LeaseRevoke", "/v3/lease/revoke",
      [context](const LeaseRevokeRequest& request, Reply<LeaseRevokeResponse> reply) {
        Submit<LeaseRevokeResponse>(context, CommandType::kLeaseRevoke, request, std::move(reply));
      });
  Serve<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse>(
      server, router, "/etcdserverpb.Lease/LeaseTimeToLive", "/v3/lease/timetolive",
      [context](const LeaseTimeToLiveRequest& request, Reply<LeaseTimeToLiveResponse> reply) {
        TimeToLive(context, request, std::move(reply));
      });
  Serve<LeaseLeasesRequest, LeaseLeasesResponse>(
      server, router, "/etcdserverpb.Lease/LeaseLeases", "/v3/lease/leases",
      [context](const LeaseLeasesRequest&, Reply<LeaseLeasesResponse> reply) {
        List(context, std::move(reply));
      });
  rpc::Stream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>(
      server, "/etcdserverpb.Lease/LeaseKeepAlive",
      [context](KeepAliveStream stream, const rpc::CallContext&) {
        return std::make_unique<KeepAliveHandler>(context, std::move(stream));
      });
}

}  // namespace tikv::pd::etcd
