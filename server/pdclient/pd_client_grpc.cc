#include "server/pdclient/pd_client_grpc.h"

#include <fmt/core.h>

#include <chrono>
#include <utility>

#include "server/pdclient/tso_batcher.h"

namespace tikv::server {
namespace {

using std::chrono::seconds;

constexpr Duration kCallTimeout = seconds(10);

// Receives orders on the heartbeat stream.
class HeartbeatHandler : public pdchannel::PdStreamHandler {
 public:
  HeartbeatHandler(std::function<void(const pdpb::RegionHeartbeatResponse&)> on_response,
                   std::function<void()> on_reconnect)
      : on_response_(std::move(on_response)), on_reconnect_(std::move(on_reconnect)) {}

  void OnOpen() override { on_reconnect_(); }
  void OnMessage(std::string_view message) override {
    response_.Clear();
    if (rpc::ParseMessage(message, "/pdpb.PD/RegionHeartbeat", &response_).ok()) {
      on_response_(response_);
    }
  }
  void OnBroken(const absl::Status&) override {}

 private:
  std::function<void(const pdpb::RegionHeartbeatResponse&)> on_response_;
  std::function<void()> on_reconnect_;
  pdpb::RegionHeartbeatResponse response_;
};

template <class Response>
Callback<absl::StatusOr<Response>> OnlyStatus(Callback<absl::Status> done) {
  return [done = std::move(done)](absl::StatusOr<Response> reply) mutable {
    std::move(done)(reply.status());
  };
}

Callback<absl::StatusOr<pdpb::GetRegionResponse>> TakeRegion(
    Callback<absl::StatusOr<PdRegion>> done) {
  return [done = std::move(done)](absl::StatusOr<pdpb::GetRegionResponse> reply) mutable {
    if (!reply.ok()) return std::move(done)(reply.status());
    if (!reply->has_region()) return std::move(done)(NotFound("PD knows no such region"));
    PdRegion out;
    out.region = std::move(*reply->mutable_region());
    if (reply->leader().id() != 0) out.leader = reply->leader();
    std::move(done)(std::move(out));
  };
}

}  // namespace

PdClientGrpc::PdClientGrpc(pdchannel::PdChannel* channel, Clock* clock, PdRequestObserver observer)
    : channel_(channel), clock_(clock), observer_(std::move(observer)) {}

PdClientGrpc::~PdClientGrpc() = default;

template <class Response, class Request>
void PdClientGrpc::Call(std::string_view type, std::string_view method, Request request,
                        Callback<absl::StatusOr<Response>> done) {
  const MonotonicTime start = clock_->Now();
  pdchannel::Call<Response>(
      *channel_, fmt::format("/pdpb.PD/{}", method), std::move(request), kCallTimeout,
      [this, type, start, done = std::move(done)](absl::StatusOr<Response> reply) mutable {
        if (observer_) observer_(type, clock_->Now() - start);
        std::move(done)(std::move(reply));
      });
}

void PdClientGrpc::IsBootstrapped(Callback<absl::StatusOr<bool>> done) {
  Call<pdpb::IsBootstrappedResponse>(
      "is_cluster_bootstrapped", "IsBootstrapped", pdpb::IsBootstrappedRequest(),
      [done = std::move(done)](absl::StatusOr<pdpb::IsBootstrappedResponse> reply) mutable {
        if (!reply.ok()) return std::move(done)(reply.status());
        std::move(done)(reply->bootstrapped());
      });
}

void PdClientGrpc::Bootstrap(metapb::Store store, metapb::Region region,
                             Callback<absl::Status> done) {
  pdpb::BootstrapRequest request;
  *request.mutable_store() = std::move(store);
  *request.mutable_region() = std::move(region);
  Call<pdpb::BootstrapResponse>("bootstrap_cluster", "Bootstrap", std::move(request),
                                OnlyStatus<pdpb::BootstrapResponse>(std::move(done)));
}

void PdClientGrpc::AllocIds(uint32_t count, Callback<absl::StatusOr<std::vector<uint64_t>>> done) {
  pdpb::AllocIDRequest request;
  request.set_count(count);
  Call<pdpb::AllocIDResponse>(
      "alloc_id", "AllocID", std::move(request),
      [count, done = std::move(done)](absl::StatusOr<pdpb::AllocIDResponse> reply) mutable {
        if (!reply.ok()) return std::move(done)(reply.status());
        // The reply names the last id of the batch; an older PD ignores the count.
        const uint64_t given = std::max<uint64_t>(reply->count(), 1);
        if (given < count || reply->id() < given) {
          return std::move(done)(Unknown("PD gave {} ids instead of {}", given, count));
        }
        std::vector<uint64_t> ids;
        for (uint64_t i = 0; i < count; ++i) ids.push_back(reply->id() - (count - 1) + i);
        std::move(done)(std::move(ids));
      });
}

void PdClientGrpc::PutStore(metapb::Store store, Callback<absl::Status> done) {
  pdpb::PutStoreRequest request;
  *request.mutable_store() = std::move(store);
  Call<pdpb::PutStoreResponse>("put_store", "PutStore", std::move(request),
                               OnlyStatus<pdpb::PutStoreResponse>(std::move(done)));
}

void PdClientGrpc::GetStore(StoreId id, Callback<absl::StatusOr<metapb::Store>> done) {
  pdpb::GetStoreRequest request;
  request.set_store_id(id.value);
  Call<pdpb::GetStoreResponse>(
      "get_store", "GetStore", std::move(request),
      [id, done = std::move(done)](absl::StatusOr<pdpb::GetStoreResponse> reply) mutable {
        if (!reply.ok()) return std::move(done)(reply.status());
        if (!reply->has_store()) return std::move(done)(NotFound("PD knows no store {}", id.value));
        std::move(done)(std::move(*reply->mutable_store()));
      });
}

void PdClientGrpc::GetAllStores(Callback<absl::StatusOr<std::vector<metapb::Store>>> done) {
  Call<pdpb::GetAllStoresResponse>(
      "get_all_stores", "GetAllStores", pdpb::GetAllStoresRequest(),
      [done = std::move(done)](absl::StatusOr<pdpb::GetAllStoresResponse> reply) mutable {
        if (!reply.ok()) return std::move(done)(reply.status());
        std::move(done)(std::vector<metapb::Store>(reply->stores().begin(), reply->stores().end()));
      });
}

void PdClientGrpc::GetClusterConfig(Callback<absl::StatusOr<metapb::Cluster>> done) {
  Call<pdpb::GetClusterConfigResponse>(
      "get_cluster_config", "GetClusterConfig", pdpb::GetClusterConfigRequest(),
      [done = std::move(done)](absl::StatusOr<pdpb::GetClusterConfigResponse> reply) mutable {
        if (!reply.ok()) return std::move(done)(reply.status());
        std::move(done)(std::move(*reply->mutable_cluster()));
      });
}

void PdClientGrpc::StoreHeartbeat(pdpb::StoreStats stats,
                                  Callback<absl::StatusOr<pdpb::StoreHeartbeatResponse>> done) {
  pdpb::StoreHeartbeatRequest request;
  *request.mutable_stats() = std::move(stats);
  Call<pdpb::StoreHeartbeatResponse>("store_heartbeat", "StoreHeartbeat", std::move(request),
                                     std::move(done));
}

void PdClientGrpc::SetRegionHeartbeatHandler(
    std::function<void(const pdpb::RegionHeartbeatResponse&)> on_response,
    std::function<void()> on_reconnect) {
  std::lock_guard lock(mutex_);
  heartbeats_ = channel_->OpenStream(
      "/pdpb.PD/RegionHeartbeat",
      std::make_unique<HeartbeatHandler>(std::move(on_response), std::move(on_reconnect)));
}

void PdClientGrpc::RegionHeartbeat(pdpb::RegionHeartbeatRequest request) {
  std::shared_ptr<pdchannel::PdStream> stream;
  {
    std::lock_guard lock(mutex_);
    stream = heartbeats_;
  }
  if (stream == nullptr) return;
  request.mutable_header()->set_cluster_id(cluster_id().value);
  stream->Send(rpc::SerializeBytes(request));
}

void PdClientGrpc::AskBatchSplit(metapb::Region region, uint32_t count,
                                 Callback<absl::StatusOr<std::vector<pdpb::SplitID>>> done) {
  pdpb::AskBatchSplitRequest request;
  *request.mutable_region() = std::move(region);
  request.set_split_count(count);
  Call<pdpb::AskBatchSplitResponse>(
      "ask_batch_split", "AskBatchSplit", std::move(request),
      [done = std::move(done)](absl::StatusOr<pdpb::AskBatchSplitResponse> reply) mutable {
        if (!reply.ok()) return std::move(done)(reply.status());
        std::move(done)(std::vector<pdpb::SplitID>(reply->ids().begin(), reply->ids().end()));
      });
}

void PdClientGrpc::ReportBatchSplit(std::vector<metapb::Region> regions,
                                    Callback<absl::Status> done) {
  pdpb::ReportBatchSplitRequest request;
  for (metapb::Region& region : regions) *request.add_regions() = std::move(region);
  Call<pdpb::ReportBatchSplitResponse>("report_batch_split", "ReportBatchSplit", std::move(request),
                                       OnlyStatus<pdpb::ReportBatchSplitResponse>(std::move(done)));
}

void PdClientGrpc::GetRegion(std::string key, Callback<absl::StatusOr<PdRegion>> done) {
  pdpb::GetRegionRequest request;
  request.set_region_key(std::move(key));
  Call<pdpb::GetRegionResponse>("get_region", "GetRegion", std::move(request),
                                TakeRegion(std::move(done)));
}

void PdClientGrpc::GetRegionById(RegionId id, Callback<absl::StatusOr<PdRegion>> done) {
  pdpb::GetRegionByIDRequest request;
  request.set_region_id(id.value);
  Call<pdpb::GetRegionResponse>("get_region_by_id", "GetRegionByID", std::move(request),
                                TakeRegion(std::move(done)));
}

void PdClientGrpc::Tso(Callback<absl::StatusOr<Timestamp>> done) {
  std::shared_ptr<TsoBatcher> tso;
  {
    std::lock_guard lock(mutex_);
    if (tso_ == nullptr) {
      tso_ = std::make_shared<TsoBatcher>(channel_);
      tso_->Start();
    }
    tso = tso_;
  }
  const MonotonicTime start = clock_->Now();
  tso->Get([this, start, done = std::move(done)](absl::StatusOr<Timestamp> ts) mutable {
    if (observer_) observer_("tso", clock_->Now() - start);
    std::move(done)(std::move(ts));
  });
}

void PdClientGrpc::GetGcSafePoint(Callback<absl::StatusOr<Timestamp>> done) {
  Call<pdpb::GetGCSafePointResponse>(
      "get_gc_safe_point", "GetGCSafePoint", pdpb::GetGCSafePointRequest(),
      [done = std::move(done)](absl::StatusOr<pdpb::GetGCSafePointResponse> reply) mutable {
        if (!reply.ok()) return std::move(done)(reply.status());
        std::move(done)(reply->safe_point());
      });
}

}  // namespace tikv::server
