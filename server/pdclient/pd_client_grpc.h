// The PdClient of a running store: gRPC to whichever member of PD leads.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "lib/pdchannel/pd_channel.h"
#include "server/pdclient/pd_client.h"

namespace tikv::server {

class TsoBatcher;

// What a call took, by the original's label (tikv_pd_request_duration_seconds{type}).  Thread-safe.
using PdRequestObserver = std::function<void(std::string_view type, Duration took)>;

// See PdClient.  Callbacks run on the channel's strand.  `channel`, `clock` must outlive it.
class PdClientGrpc final : public PdClient {
 public:
  PdClientGrpc(pdchannel::PdChannel* channel, Clock* clock, PdRequestObserver observer = {});
  ~PdClientGrpc() override;

  ClusterId cluster_id() const override { return channel_->cluster_id(); }

  void IsBootstrapped(Callback<absl::StatusOr<bool>> done) override;
  void Bootstrap(metapb::Store store, metapb::Region region, Callback<absl::Status> done) override;
  void AllocIds(uint32_t count, Callback<absl::StatusOr<std::vector<uint64_t>>> done) override;
  void PutStore(metapb::Store store, Callback<absl::Status> done) override;
  void GetStore(StoreId id, Callback<absl::StatusOr<metapb::Store>> done) override;
  void GetAllStores(Callback<absl::StatusOr<std::vector<metapb::Store>>> done) override;
  void GetClusterConfig(Callback<absl::StatusOr<metapb::Cluster>> done) override;
  void StoreHeartbeat(pdpb::StoreStats stats,
                      Callback<absl::StatusOr<pdpb::StoreHeartbeatResponse>> done) override;
  void SetRegionHeartbeatHandler(
      std::function<void(const pdpb::RegionHeartbeatResponse&)> on_response,
      std::function<void()> on_reconnect) override;
  void RegionHeartbeat(pdpb::RegionHeartbeatRequest request) override;
  void AskBatchSplit(metapb::Region region, uint32_t count,
                     Callback<absl::StatusOr<std::vector<pdpb::SplitID>>> done) override;
  void ReportBatchSplit(std::vector<metapb::Region> regions, Callback<absl::Status> done) override;
  void GetRegion(std::string key, Callback<absl::StatusOr<PdRegion>> done) override;
  void GetRegionById(RegionId id, Callback<absl::StatusOr<PdRegion>> done) override;
  void Tso(Callback<absl::StatusOr<Timestamp>> done) override;
  void GetGcSafePoint(Callback<absl::StatusOr<Timestamp>> done) override;

 private:
  template <class Response, class Request>
  void Call(std::string_view type, std::string_view method, Request request,
            Callback<absl::StatusOr<Response>> done);

  pdchannel::PdChannel* const channel_;
  Clock* const clock_;
  const PdRequestObserver observer_;
  std::mutex mutex_;
  std::shared_ptr<pdchannel::PdStream> heartbeats_;  // Guarded by mutex_.
  std::shared_ptr<TsoBatcher> tso_;                  // Made by the first Tso(); guarded by mutex_.
};

}  // namespace tikv::server
