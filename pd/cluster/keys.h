// Where PD keeps what in the metadata store, below "/pd/<cluster id>/".  The layout is the
// original's, which tools read.
#pragma once

#include <cstdint>
#include <string>

namespace tikv::pd {

// Every key by what it holds.  A value; thread-safe.
class Keys {
 public:
  explicit Keys(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  std::string AllocId() const { return root_ + "alloc_id"; }
  std::string Config() const { return root_ + "config"; }
  std::string Cluster() const { return root_ + "raft"; }
  std::string BootstrapTime() const { return root_ + "raft/status/raft_bootstrap_time"; }
  std::string Stores() const { return root_ + "raft/s/"; }
  std::string Store(uint64_t id) const;
  std::string Regions() const { return root_ + "raft/r/"; }
  std::string Region(uint64_t id) const;
  std::string MinResolvedTs() const { return root_ + "raft/min_resolved_ts"; }
  std::string ExternalTimestamp() const { return root_ + "raft/external_timestamp"; }
  std::string Weights() const { return root_ + "schedule/store_weight/"; }
  std::string LeaderWeight(uint64_t store) const;
  std::string RegionWeight(uint64_t store) const;
  std::string Schedulers() const { return root_ + "scheduler_config/"; }
  std::string Scheduler(const std::string& name) const { return Schedulers() + name; }
  std::string GcSafePoint() const { return root_ + "gc/safe_point"; }
  std::string TxnSafePoint() const { return root_ + "gc/txn_safe_point"; }
  std::string ServiceSafePoints() const { return root_ + "gc/safe_point/service/"; }
  std::string GlobalBarriers() const { return root_ + "gc/global_gc_barriers/"; }
  std::string Marker(const std::string& name) const { return root_ + "cluster/markers/" + name; }

 private:
  std::string root_;
};

}  // namespace tikv::pd
