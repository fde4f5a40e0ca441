// debugpb.Debug: a look at one store's data and regions, for operators' tools.
#pragma once

#include <functional>
#include <string>

#include "lib/base/strong_id.h"
#include "lib/engine/engine.h"
#include "lib/env/executor.h"
#include "lib/rpc/typed.h"
#include "proto/debugpb.pb.h"
#include "server/port/region_admin.h"
#include "server/storage/raw/raw_codec.h"

namespace tikv::server {

// What DebugService looks at; all must outlive it.
struct DebugDependencies {
  engine::KvEngine* engine = nullptr;
  RegionAdmin* admin = nullptr;
  TaskRunner* background = nullptr;  // May block: disk reads, compaction.
  StoreId store;
  ClusterId cluster;
  ApiVersion api = ApiVersion::kV1;
  std::function<std::string()> metrics;  // Prometheus text.
};

// Errors are plain gRPC statuses (NOT_FOUND, INVALID_ARGUMENT), as its callers do not retry.  Must
// outlive the server it registers with.  Calls that it does not register answer UNIMPLEMENTED.
class DebugService {
 public:
  explicit DebugService(DebugDependencies deps) : deps_(std::move(deps)) {}
  void Register(rpc::Server* server);

 private:
  void RegisterData(rpc::Server* server);
  void RegisterRegions(rpc::Server* server);
  void RegisterRegionFigures(rpc::Server* server);
  void RegisterStore(rpc::Server* server);

  absl::StatusOr<debugpb::GetResponse> Get(const debugpb::GetRequest& request) const;
  absl::Status Compact(const debugpb::CompactRequest& request) const;
  absl::StatusOr<debugpb::RegionSizeResponse> RegionSize(const debugpb::RegionSizeRequest& request,
                                                         const RegionDetails& region) const;
  absl::StatusOr<debugpb::GetRegionPropertiesResponse> RegionProperties(
      const RegionDetails& region) const;
  absl::StatusOr<debugpb::GetRangePropertiesResponse> RangeProperties(
      const debugpb::GetRangePropertiesRequest& request) const;

  const DebugDependencies deps_;
};

}  // namespace tikv::server
