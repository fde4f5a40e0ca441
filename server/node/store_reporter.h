// Tells PD about this store: who it is, and every few seconds how it does.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "lib/engine/engine.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/env/file_system.h"
#include "lib/log/logger.h"
#include "lib/metrics/metrics.h"
#include "lib/raftlog/raft_log.h"
#include "server/pdclient/pd_client.h"
#include "server/port/region_admin.h"

namespace tikv::server {

// What StoreReporter needs; all must outlive it.
struct ReporterDependencies {
  PdClient* pd = nullptr;
  RegionAdmin* admin = nullptr;
  engine::KvEngine* engine = nullptr;
  raftlog::RaftLog* raft_log = nullptr;
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  Executor* strand = nullptr;  // The PD client's.
  log::Logger log;
  metrics::Registry* metrics = nullptr;
  // Adds what this store has served since the last call.  On the strand.
  std::function<void(pdpb::StoreStats*)> add_load;
};

// What the data takes: files and memtables of the engine, files of the Raft log.
uint64_t UsedBytes(const engine::KvEngine& engine, const raftlog::RaftLog& raft_log);

// Lives on the PD strand; Start and Stop from the main thread.
class StoreReporter {
 public:
  // `capacity`: what the operator grants, 0 for the whole disk.
  StoreReporter(ReporterDependencies deps, metapb::Store store, std::string data_dir,
                uint64_t capacity, Duration interval);

  // Registers the store, again and again until PD takes it, then reports every interval.
  void Start();
  // No report begins after it returns; one that is under way is harmless.
  void Stop() { stopped_ = true; }
  // PD hears at once, and in every report from then on, that this store is about to stop.
  void Leave();

  void SetInterval(Duration interval) { interval_ = interval; }

  // Whether the last exchange with PD worked.
  bool connected() const { return connected_; }
  int32_t slow_score() const { return 1; }

 private:
  void Register();
  void Report();
  void Send(size_t regions);
  void Later(Duration delay, void (StoreReporter::*step)());
  pdpb::StoreStats Collect(size_t regions);

  const ReporterDependencies deps_;
  const metapb::Store store_;
  const std::string data_dir_;
  const uint64_t capacity_;
  std::atomic<Duration> interval_;
  const int64_t start_seconds_;
  int64_t last_report_seconds_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> leaving_{false};
  std::atomic<bool> connected_{false};
  metrics::Family<metrics::Gauge>& size_;
  metrics::Counter& heartbeats_sent_;
};

}  // namespace tikv::server
