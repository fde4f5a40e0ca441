// Regions on the local disk, so that a restarted leader can answer queries before the stores have
// reported.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include <memory>
#include <mutex>

#include "pd/core/region.h"

namespace tikv::engine {
class KvEngine;
}

namespace tikv::pd {

class RegionTable;

// Write-behind: changes gather in memory until Flush.  A cache only: what it lost, heartbeats
// bring again; what it kept too long, their epochs overrule.  Thread-safe.
class RegionCache {
 public:
  explicit RegionCache(std::unique_ptr<engine::KvEngine> engine);
  ~RegionCache();

  void Save(RegionPtr region);
  void Remove(RegionId id);
  // Writes what has gathered.  May block on the disk.
  absl::Status Flush();
  // Puts every stored region into the table, older ones giving way to newer.
  absl::Status Load(RegionTable* table);
  // Forgets everything, also on disk.
  absl::Status Clear();

 private:
  std::unique_ptr<engine::KvEngine> engine_;
  std::mutex mu_;
  absl::flat_hash_map<uint64_t, RegionPtr> dirty_;  // nullptr: to be deleted.
};

}  // namespace tikv::pd
