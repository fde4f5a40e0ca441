// v3electionpb.Election: etcd's election recipe, run by the server.
#include "lib/base/status.h"
#include "pd/meta/mvcc/range.h"
#include "pd/service/etcd/acquire.h"
#include "pd/service/etcd/context.h"
#include "proto/v3electionpb.pb.h"

namespace tikv::pd::etcd {
namespace {

using namespace v3electionpb;
using etcdserverpb::TxnRequest;
using etcdserverpb::TxnResponse;

absl::Status NoLeader() { return Unknown("election: no leader"); }
absl::Status NotLeader() { return Unknown("election: not leader"); }

// A transaction that runs only while the leader's key is the one that won.
TxnRequest IfStillLeader(const LeaderKey& leader) {
  TxnRequest txn;
  auto* same = txn.add_compare();
  same->set_key(leader.key());
  same->set_target(etcdserverpb::Compare::CREATE);
  same->set_create_revision(leader.rev());
  return txn;
}

void DoProclaim(EtcdContext* context, const ProclaimRequest& request,
                Reply<ProclaimResponse> reply) {
  TxnRequest txn = IfStillLeader(request.leader());
  auto* put = txn.add_success()->mutable_request_put();
  put->set_key(request.leader().key());
  put->set_value(request.value());
  put->set_lease(request.leader().lease());
  if (put->key().empty()) return std::move(reply)(NotLeader());
  Submit<TxnResponse>(context, meta::CommandType::kTxn, txn,
                      [reply = std::move(reply)](absl::StatusOr<TxnResponse> done) mutable {
                        if (!done.ok()) return std::move(reply)(done.status());
                        if (!done->succeeded()) return std::move(reply)(NotLeader());
                        ProclaimResponse response;
                        *response.mutable_header() = done->header();
                        std::move(reply)(std::move(response));
                      });
}

void DoResign(EtcdContext* context, const ResignRequest& request, Reply<ResignResponse> reply) {
  TxnRequest txn = IfStillLeader(request.leader());
  if (request.leader().key().empty()) return std::move(reply)(NotLeader());
  txn.add_success()->mutable_request_delete_range()->set_key(request.leader().key());
  Submit<TxnResponse>(context, meta::CommandType::kTxn, txn,
                      [reply = std::move(reply)](absl::StatusOr<TxnResponse> done) mutable {
                        if (!done.ok()) return std::move(reply)(done.status());
                        ResignResponse response;
                        *response.mutable_header() = done->header();
                        std::move(reply)(std::move(response));
                      });
}

absl::StatusOr<LeaderResponse> ReadLeader(EtcdContext* context, const std::string& name) {
  ASSIGN_OR_RETURN(std::optional<meta::KeyValue> owner, Owner(context, name));
  if (!owner) return NoLeader();
  LeaderResponse response;
  meta::ToProto(*std::move(owner), response.mutable_kv());
  context->store->FillHeader(response.mutable_header());
  return response;
}

void DoLeader(EtcdContext* context, const LeaderRequest& request, Reply<LeaderResponse> reply) {
  ReadWhenReady(
      context, false,
      [context, name = request.name(), reply = std::move(reply)](absl::Status ready) mutable {
        if (!ready.ok()) return std::move(reply)(ready);
        std::move(reply)(ReadLeader(context, name));
      });
}

using ObserveStream = rpc::TypedStream<LeaderResponse>;

// Sends the leader, and again whenever leader or value change.
class Observer : public std::enable_shared_from_this<Observer> {
 public:
  Observer(EtcdContext* context, ObserveStream stream)
      : context_(context), stream_(std::move(stream)) {}

  void Start(const std::string& name) {
    name_ = name;
    auto watch = context_->store->Watch({.range = meta::KeyRange::Prefix(name + "/")},
                                        [weak = weak_from_this()](meta::WatchBatch) {
                                          if (auto self = weak.lock()) self->Send();
                                        });
    std::lock_guard lock(mutex_);
    watch_ = std::move(watch);
    context_->pool->Post([self = shared_from_this()] { self->Send(); });
  }

  void Stop() {
    std::lock_guard lock(mutex_);
    watch_ = nullptr;
  }

 private:
  void Send() {
    absl::StatusOr<LeaderResponse> leader = ReadLeader(context_, name_);
    if (!leader.ok()) return;  // None at the moment.
    std::lock_guard lock(mutex_);
    if (std::exchange(sent_revision_, leader->kv().mod_revision()) == leader->kv().mod_revision()) {
      return;
    }
    stream_.Send(*leader);
  }

  EtcdContext* const context_;
  const ObserveStream stream_;
  std::string name_;
  std::mutex mutex_;  // Guards what follows.
  std::unique_ptr<meta::WatchHandle> watch_;
  int64_t sent_revision_ = 0;
};

class ObserveHandler : public rpc::TypedStreamHandler<LeaderRequest> {
 public:
  ObserveHandler(EtcdContext* context, ObserveStream stream)
      : observer_(std::make_shared<Observer>(context, std::move(stream))) {}
  void OnMessage(const LeaderRequest& request) override {
    if (!std::exchange(started_, true)) observer_->Start(request.name());
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override { observer_->Stop(); }

 private:
  const std::shared_ptr<Observer> observer_;
  bool started_ = false;
};

void DoCampaign(EtcdContext* context, const CampaignRequest& request, const rpc::CallContext& call,
                rpc::Responder<CampaignResponse> responder) {
  Acquire(
      context, request.name(), request.lease(), request.value(), call,
      [context, request, responder = std::move(responder)](absl::StatusOr<Place> place) mutable {
        if (!place.ok()) return responder.Fail(place.status());
        CampaignResponse response;
        response.mutable_leader()->set_name(request.name());
        response.mutable_leader()->set_key(place->key);
        response.mutable_leader()->set_rev(place->create_revision);
        response.mutable_leader()->set_lease(request.lease());
        context->store->FillHeader(response.mutable_header());
        responder.Reply(response);
      });
}

}  // namespace

void RegisterElection(EtcdContext* context, rpc::Server& server) {
  http::Router none;  // The recipes are not on the JSON gateway.
  rpc::Unary<CampaignRequest, CampaignResponse>(
      server, "/v3electionpb.Election/Campaign",
      [context](const CampaignRequest& request, const rpc::CallContext& call,
                rpc::Responder<CampaignResponse> responder) {
        DoCampaign(context, request, call, std::move(responder));
      });
  Serve<ProclaimRequest, ProclaimResponse>(
      server, none, "/v3electionpb.Election/Proclaim", {},
      [context](const ProclaimRequest& request, Reply<ProclaimResponse> reply) {
        DoProclaim(context, request, std::move(reply));
      });
  Serve<LeaderRequest, LeaderResponse>(
      server, none, "/v3electionpb.Election/Leader", {},
      [context](const LeaderRequest& request, Reply<LeaderResponse> reply) {
        DoLeader(context, request, std::move(reply));
      });
  Serve<ResignRequest, ResignResponse>(
      server, none, "/v3electionpb.Election/Resign", {},
      [context](const ResignRequest& request, Reply<ResignResponse> reply) {
        DoResign(context, request, std::move(reply));
      });
  rpc::Stream<LeaderRequest, LeaderResponse>(
      server, "/v3electionpb.Election/Observe",
      [context](ObserveStream stream, const rpc::CallContext&) {
        return std::make_unique<ObserveHandler>(context, std::move(stream));
      });
}

}  // namespace tikv::pd::etcd
