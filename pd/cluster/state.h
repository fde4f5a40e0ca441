// Everything the PD leader knows, as one plain value.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pd/cluster/gc_state.h"
#include "pd/cluster/id_allocator.h"
#include "pd/cluster/progress.h"
#include "pd/core/config.h"
#include "pd/core/region_table.h"
#include "pd/core/store.h"
#include "pd/schedule/checker.h"
#include "pd/schedule/controller.h"
#include "pd/schedule/scheduler.h"
#include "proto/metapb.pb.h"

namespace tikv::pd {

// A scheduler with when it runs next.
struct SchedulerEntry {
  std::unique_ptr<Scheduler> scheduler;
  int64_t paused_at_ms = 0, paused_until_ms = 0;
  int64_t next_run_ms = 0, interval_ms = 0;
  bool found_work = false;  // At its last run.

  bool Paused(int64_t now_ms) const { return paused_until_ms > now_ms; }
};

// Filled from the metadata store when leadership begins.  Guarded by Cluster's lock.
struct ClusterState {
  bool bootstrapped = false;
  metapb::Cluster meta;
  int64_t bootstrap_time_s = 0;
  Config config;
  StoreTable stores;
  RegionTable regions;
  OperatorController operators;
  ReplicaChecker checker{&operators};
  std::vector<SchedulerEntry> schedulers;
  IdAllocator ids;
  GcState gc;
  RemovalProgress removals;
  std::map<uint64_t, uint64_t> min_resolved_ts;  // By store.
  uint64_t external_ts = 0;
  std::set<std::string> markers;  // "snapshot-recovering", "pitr-restore-mode"
  int64_t leader_since_ms = 0;
  bool prepared = false;  // Regions enough have been reported to schedule.

  SchedulerEntry* FindScheduler(std::string_view name);
  // Two regions, or one that is fully replicated.
  bool Initialized() const;
};

}  // namespace tikv::pd
