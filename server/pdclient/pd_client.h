// PdClient: what a store asks of the placement driver.  A port: the body of a running store talks
// gRPC over lib/pdchannel (pd_client_grpc.h), tests and the simulation bring their own.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/callback.h"
#include "lib/base/strong_id.h"
#include "proto/metapb.pb.h"
#include "proto/pdpb.pb.h"

namespace tikv::server {

// A region with who leads it, as PD last heard.
struct PdRegion {
  metapb::Region region;
  std::optional<metapb::Peer> leader;
};

// One TSO timestamp: milliseconds since 1970 << 18 + counter.
using Timestamp = uint64_t;

// Thread-safe; no call blocks.  Request headers (cluster id) are filled in by the client.  Every
// `done` runs exactly once, on the client's own strand ("pd-worker"), never inside the call; it
// must not block.  Calls find the leader of PD by themselves and retry what a leader change breaks
// until `kCallTimeout`; after that DeadlineExceeded or Unavailable with the last cause.  Errors in
// a reply's header come back as a status: NotFound (region, store), AlreadyExists (bootstrapped),
// FailedPrecondition (not bootstrapped, other cluster), Unknown.
class PdClient {
 public:
  virtual ~PdClient() = default;

  virtual ClusterId cluster_id() const = 0;

  virtual void IsBootstrapped(Callback<absl::StatusOr<bool>> done) = 0;
  // AlreadyExists when another store was first.
  virtual void Bootstrap(metapb::Store store, metapb::Region region,
                         Callback<absl::Status> done) = 0;
  // `count` ids never given out before, ascending, not always consecutive.
  virtual void AllocIds(uint32_t count, Callback<absl::StatusOr<std::vector<uint64_t>>> done) = 0;

  virtual void PutStore(metapb::Store store, Callback<absl::Status> done) = 0;
  virtual void GetStore(StoreId id, Callback<absl::StatusOr<metapb::Store>> done) = 0;
  virtual void GetAllStores(Callback<absl::StatusOr<std::vector<metapb::Store>>> done) = 0;
  virtual void GetClusterConfig(Callback<absl::StatusOr<metapb::Cluster>> done) = 0;
  virtual void StoreHeartbeat(pdpb::StoreStats stats,
                              Callback<absl::StatusOr<pdpb::StoreHeartbeatResponse>> done) = 0;

  // What PD sends back on the heartbeat stream: orders (change peer, transfer leader, split), and
  // `on_reconnect` whenever a new stream stands, since a new PD leader knows nothing: report every
  // led region then.  To be set once, before the first RegionHeartbeat; both run on the strand.
  virtual void SetRegionHeartbeatHandler(
      std::function<void(const pdpb::RegionHeartbeatResponse&)> on_response,
      std::function<void()> on_reconnect) = 0;
  // Sends on the stream.  Dropped while none stands or its queue is full: heartbeats repeat.
  virtual void RegionHeartbeat(pdpb::RegionHeartbeatRequest request) = 0;

  // One entry per new region: its id and its peers' ids.
  virtual void AskBatchSplit(metapb::Region region, uint32_t count,
                             Callback<absl::StatusOr<std::vector<pdpb::SplitID>>> done) = 0;
  // Left to right.
  virtual void ReportBatchSplit(std::vector<metapb::Region> regions,
                                Callback<absl::Status> done) = 0;

  // `key` as in region boundaries (encoded).  NotFound when PD knows no such region.
  virtual void GetRegion(std::string key, Callback<absl::StatusOr<PdRegion>> done) = 0;
  virtual void GetRegionById(RegionId id, Callback<absl::StatusOr<PdRegion>> done) = 0;

  virtual void Tso(Callback<absl::StatusOr<Timestamp>> done) = 0;
  virtual void GetGcSafePoint(Callback<absl::StatusOr<Timestamp>> done) = 0;
};

}  // namespace tikv::server
