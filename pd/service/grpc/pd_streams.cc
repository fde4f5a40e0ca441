// pdpb.PD: the streams but Tso.
#include "lib/base/status.h"
#include "pd/service/grpc/pd_service.h"

namespace tikv::pd {
namespace {

// Why a member cannot serve a stream's message; OK when it can.
absl::Status CheckServed(const Cluster& cluster, uint64_t cluster_id) {
  if (!cluster.serving()) return Unavailable("not leader");
  return CheckClusterId(cluster.cluster_id(), cluster_id);
}

// One store's region heartbeats up, orders down.
class HeartbeatStream : public rpc::StreamHandler,
                        public OrderSink,
                        public std::enable_shared_from_this<HeartbeatStream> {
 public:
  HeartbeatStream(Cluster* cluster, rpc::ServerStream stream)
      : cluster_(cluster), stream_(std::move(stream)) {}

  void OnMessage(std::string_view bytes) override {
    pdpb::RegionHeartbeatRequest request;  // Its contents move into the region table.
    if (absl::Status s = rpc::ParseMessage(bytes, "/pdpb.PD/RegionHeartbeat", &request); !s.ok()) {
      return stream_.Finish(std::move(s));
    }
    if (absl::Status s = CheckServed(*cluster_, request.header().cluster_id()); !s.ok()) {
      return stream_.Finish(std::move(s));
    }
    if (!cluster_->bootstrapped()) {
      return Reject(pdpb::NOT_BOOTSTRAPPED, "cluster is not bootstrapped");
    }
    auto outcome = cluster_->RegionHeartbeat(&request, shared_from_this());
    if (!outcome.end.ok()) return stream_.Finish(outcome.end);
    if (!outcome.rejection.empty()) return Reject(pdpb::UNKNOWN, outcome.rejection);
    if (outcome.order) Send(*outcome.order);
  }
  void OnHalfClose() override { stream_.Finish(absl::OkStatus()); }
  void OnClosed(const absl::Status&) override { cluster_->CloseStream(this); }

  void Send(const pdpb::RegionHeartbeatResponse& order) override {
    // Orders repeat, so a store that does not read loses nothing by missing some.
    constexpr size_t kMaxPendingBytes = 4 << 20;
    if (stream_.pending_bytes() > kMaxPendingBytes) {
      return stream_.Finish(DeadlineExceeded("send heartbeat timeout"));
    }
    pdpb::RegionHeartbeatResponse r = order;
    r.mutable_header()->set_cluster_id(cluster_->cluster_id());
    stream_.SendFramed(rpc::SerializeFramed(r));
  }

 private:
  void Reject(pdpb::ErrorType type, const std::string& text) {
    pdpb::RegionHeartbeatResponse r;
    r.mutable_header()->mutable_error()->set_type(type);
    r.mutable_header()->mutable_error()->set_message(text);
    Send(r);
  }

  Cluster* cluster_;
  rpc::ServerStream stream_;
};

// The server owns handlers by unique_ptr; this one is also known to the cluster.
class SharedHandler : public rpc::StreamHandler {
 public:
  explicit SharedHandler(std::shared_ptr<rpc::StreamHandler> inner) : inner_(std::move(inner)) {}
  void OnMessage(std::string_view message) override { inner_->OnMessage(message); }
  void OnHalfClose() override { inner_->OnHalfClose(); }
  void OnDrained() override { inner_->OnDrained(); }
  void OnClosed(const absl::Status& reason) override { inner_->OnClosed(reason); }

 private:
  std::shared_ptr<rpc::StreamHandler> inner_;
};

// Buckets are taken and not used: hot buckets are not scheduled.
class BucketStream : public rpc::StreamHandler {
 public:
  BucketStream(Cluster* cluster, rpc::ServerStream stream)
      : cluster_(cluster), stream_(std::move(stream)) {}

  void OnMessage(std::string_view bytes) override {
    pdpb::ReportBucketsRequest request;
    absl::Status s = rpc::ParseMessage(bytes, "/pdpb.PD/ReportBuckets", &request);
    if (s.ok()) s = CheckServed(*cluster_, request.header().cluster_id());
    if (!s.ok()) stream_.Finish(std::move(s));
  }
  void OnHalfClose() override {
    pdpb::ReportBucketsResponse r;
    r.mutable_header()->set_cluster_id(cluster_->cluster_id());
    stream_.SendFramed(rpc::SerializeFramed(r));
    stream_.Finish(absl::OkStatus());
  }
  void OnClosed(const absl::Status&) override {}

 private:
  Cluster* cluster_;
  rpc::ServerStream stream_;
};

// Region queries in batches: keys, keys of the region after the one wanted, ids.
class QueryStream : public rpc::StreamHandler {
 public:
  QueryStream(Cluster* cluster, rpc::ServerStream stream)
      : cluster_(cluster), stream_(std::move(stream)) {}

  void OnMessage(std::string_view bytes) override {
    request_.Clear();
    absl::Status s = rpc::ParseMessage(bytes, "/pdpb.PD/QueryRegion", &request_);
    if (s.ok()) s = CheckServed(*cluster_, request_.header().cluster_id());
    if (s.ok()) s = CheckSize();
    if (!s.ok()) return stream_.Finish(std::move(s));
    pdpb::QueryRegionResponse r;
    r.mutable_header()->set_cluster_id(cluster_->cluster_id());
    if (cluster_->bootstrapped()) {
      Answer(&r);
    } else {
      r.mutable_header()->mutable_error()->set_type(pdpb::NOT_BOOTSTRAPPED);
      r.mutable_header()->mutable_error()->set_message("cluster is not bootstrapped");
    }
    stream_.SendFramed(rpc::SerializeFramed(r));
    // A client that asks and does not read is not asked on.
    constexpr size_t kMaxPendingBytes = 32 << 20;
    if (stream_.pending_bytes() > kMaxPendingBytes) stream_.Pause();
  }
  void OnHalfClose() override { stream_.Finish(absl::OkStatus()); }
  void OnDrained() override { stream_.Resume(); }
  void OnClosed(const absl::Status&) override {}

 private:
  // An id of two bytes costs hundreds in the answer, and the cluster is locked meanwhile.  Clients
  // ask for at most 10,000 at a time.
  absl::Status CheckSize() const {
    constexpr int kMaxQueries = 100'000;
    const int asked = request_.keys_size() + request_.prev_keys_size() + request_.ids_size();
    if (asked <= kMaxQueries) return absl::OkStatus();
    return InvalidArgument("{} regions asked for in one message; at most {} are answered", asked,
                           kMaxQueries);
  }

  void Answer(pdpb::QueryRegionResponse* r) {
    std::vector<RegionPtr> by_key, by_prev_key, by_id;
    cluster_->With([&](ClusterState& s) {
      for (const auto& k : request_.keys()) by_key.push_back(s.regions.ByKey(k));
      for (const auto& k : request_.prev_keys()) by_prev_key.push_back(s.regions.Prev(k));
      for (uint64_t id : request_.ids()) by_id.push_back(s.regions.ById(RegionId(id)));
    });
    for (const RegionPtr& region : by_key) r->add_key_id_map(Add(region, r));
    for (const RegionPtr& region : by_prev_key) r->add_prev_key_id_map(Add(region, r));
    for (int i = 0; i < request_.ids_size(); ++i) {
      // An id that is not known appears with an empty value.
      if (Add(by_id[i], r) == 0 && request_.ids(i) != 0) {
        (*r->mutable_regions_by_id())[request_.ids(i)];
      }
    }
  }

  // The region's id, 0 without one.
  uint64_t Add(const RegionPtr& region, pdpb::QueryRegionResponse* r) {
    if (region == nullptr) return 0;
    const uint64_t id = region->meta.id();
    auto [it, fresh] = r->mutable_regions_by_id()->insert({id, {}});
    if (fresh) {
      *it->second.mutable_region() = region->meta;
      if (region->leader.id() != 0) *it->second.mutable_leader() = region->leader;
      for (const auto& d : region->down_peers) *it->second.add_down_peers() = d;
      for (const auto& p : region->pending_peers) *it->second.add_pending_peers() = p;
    }
    return id;
  }

  Cluster* cluster_;
  rpc::ServerStream stream_;
  pdpb::QueryRegionRequest request_;
};

}  // namespace

void PdService::RegisterStreams(rpc::Server* server) {
  using Handler = std::unique_ptr<rpc::StreamHandler>;
  auto stream = [&](const std::string& name, bool reads, auto make) {
    server->RegisterStream(
        "/pdpb.PD/" + name,
        [this, reads, make](rpc::ServerStream s, const rpc::CallContext& context) -> Handler {
          auto target = forwarder_->Target(context);
          if (!target.ok()) {
            s.Finish(target.status());
            return nullptr;
          }
          if (*target) return forwarder_->Stream(**target, std::move(s));
          if (reads && !cluster_->serving()) {
            if (auto leader = forwarder_->LeaderForReads(context)) {
              return forwarder_->Stream(*leader, std::move(s));
            }
          }
          return make(cluster_, std::move(s));
        });
  };
  stream("RegionHeartbeat", false, [](Cluster* c, rpc::ServerStream s) -> Handler {
    return std::make_unique<SharedHandler>(std::make_shared<HeartbeatStream>(c, std::move(s)));
  });
  stream("ReportBuckets", false, [](Cluster* c, rpc::ServerStream s) -> Handler {
    return std::make_unique<BucketStream>(c, std::move(s));
  });
  stream("QueryRegion", true, [](Cluster* c, rpc::ServerStream s) -> Handler {
    return std::make_unique<QueryStream>(c, std::move(s));
  });
  auto refuse = [&](const std::string& name, const std::string& text) {
    server->RegisterStream("/pdpb.PD/" + name,
                           [text](rpc::ServerStream s, const rpc::CallContext&) -> Handler {
                             s.Finish(Unimplemented("{}", text));
                             return nullptr;
                           });
  };
  refuse("SyncRegions", "SyncRegions is not supported");
  refuse("WatchGCSafePointV2", "WatchGCSafePointV2 is obsolete");
}

}  // namespace tikv::pd
