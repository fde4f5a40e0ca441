// The engine's figures under the names of TiKV's dashboards.
#pragma once

#include <cstdint>

#include "lib/engine/engine.h"
#include "lib/metrics/metrics.h"
#include "lib/raftlog/raft_log.h"

namespace tikv::server {

// Asks the engine whenever the metrics are read.  Until its destruction the engine must live; the
// registry must outlive it.
class EngineMetrics {
 public:
  EngineMetrics(engine::KvEngine* engine, raftlog::RaftLog* raft_log, metrics::Registry* registry);
  ~EngineMetrics();
  EngineMetrics(const EngineMetrics&) = delete;
  EngineMetrics& operator=(const EngineMetrics&) = delete;

 private:
  metrics::Registry* const registry_;
  uint64_t id_;
};

}  // namespace tikv::server
