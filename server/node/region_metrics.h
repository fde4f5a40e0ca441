// The regions' figures under the names of TiKV's dashboards.
#pragma once

#include <cstdint>

#include "lib/metrics/metrics.h"

namespace tikv::server {

struct RaftStoreStats;

// Reads `stats` whenever the metrics are read; both must outlive it.
class RegionMetrics {
 public:
  RegionMetrics(const RaftStoreStats* stats, metrics::Registry* registry);
  ~RegionMetrics();
  RegionMetrics(const RegionMetrics&) = delete;
  RegionMetrics& operator=(const RegionMetrics&) = delete;

 private:
  metrics::Registry* const registry_;
  uint64_t id_;
};

}  // namespace tikv::server
