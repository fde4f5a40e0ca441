// Stores (tikv-server processes) as PD knows them, and the rules of their life cycle.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/strong_id.h"
#include "proto/metapb.pb.h"
#include "proto/pdpb.pb.h"

namespace tikv::pd {

// Operators per minute that may start on one store.
struct StoreLimit {
  double add_peer = 15;
  double remove_peer = 15;
};

// How long a store may be silent before it counts as...
inline constexpr int64_t kDisconnectedMs = 20'000;    // no target for new work
inline constexpr int64_t kUnhealthyMs = 10 * 60'000;  // no target for anything

// One store: descriptor, last statistics, settings made through the admin API.
struct StoreInfo {
  metapb::Store meta;
  pdpb::StoreStats stats;
  double leader_weight = 1, region_weight = 1;
  // Set by evict-leader and grant-leader: no leader may move in (out).
  bool pause_leader_in = false, pause_leader_out = false;
  bool slow_evicted = false;
  int64_t persisted_heartbeat_ms = 0;  // The last_heartbeat that is on disk.

  // What is not persisted stays as `old` has it.
  void KeepVolatile(const StoreInfo& old);

  StoreId id() const { return StoreId(meta.id()); }
  bool up() const { return meta.state() == metapb::Up; }
  bool removing() const { return meta.state() == metapb::Offline; }
  bool removed() const { return meta.state() == metapb::Tombstone; }
  bool preparing() const { return up() && meta.node_state() == metapb::Preparing; }
  int64_t heartbeat_ms() const { return meta.last_heartbeat() / 1'000'000; }
  int64_t silent_ms(int64_t now_ms) const { return now_ms - heartbeat_ms(); }
  bool disconnected(int64_t now_ms) const { return silent_ms(now_ms) > kDisconnectedMs; }
  // "" when the store has no such label.  Label keys are compared without case.
  std::string_view Label(std::string_view key) const;
  // Seconds since it started; 0 before its first heartbeat.
  int64_t uptime_s() const;
  // Up, Disconnected, Down, Offline or Tombstone.
  std::string_view StateName(int64_t now_ms, int64_t max_down_ms) const;
  // Less free space than 1 - low_space_ratio.  Nearly empty clusters on small disks are spared.
  bool LowSpace(double low_space_ratio, size_t cluster_regions) const;
};

// A store's version "8.5.0" or "v8.5.0-alpha" as numbers; InvalidArgument otherwise, with the
// text that the original answers.
struct Version {
  uint64_t major = 0, minor = 0, patch = 0;
  std::string suffix;  // After '-', without it.
  friend bool operator<(const Version& a, const Version& b);
  bool CompatibleWith(const Version& cluster) const;
  std::string Text() const;
  static absl::StatusOr<Version> Parse(std::string_view text);
};

// Every store by id.  The rules here decide, the caller persists the descriptor that comes out.
// Not thread-safe; Cluster guards it.  Errors carry the original's texts, the codes say which
// HTTP status fits: NotFound 404, OutOfRange 410 (already removed), FailedPrecondition 400.
class StoreTable {
 public:
  // Registers or re-registers.  InvalidArgument for a bad record or version, FailedPrecondition
  // "duplicated store address", OutOfRange for a tombstone.
  absl::StatusOr<const StoreInfo*> Put(const metapb::Store& store, const Version& cluster_version,
                                       int64_t now_ms);
  // Takes what was persisted.
  void Load(metapb::Store store);
  void Clear() { stores_.clear(); }

  // OutOfRange "store is tombstone", NotFound "store 7 not found".
  absl::Status Heartbeat(const pdpb::StoreStats& stats, int64_t now_ms);

  // Up -> Offline; `destroyed`: the machine is gone for good.  `needed`: replicas that must still
  // find a home each.
  absl::Status Remove(StoreId id, bool destroyed, uint64_t needed);
  // Offline -> Up.
  absl::Status Restore(StoreId id);
  // Offline -> Tombstone.  FailedPrecondition while regions are left.
  absl::Status Bury(StoreId id, size_t region_count);
  // Preparing -> Serving.
  absl::Status Serve(StoreId id);
  // Forgets a tombstone.
  void Erase(StoreId id) { stores_.erase(id.value); }

  absl::Status SetLabels(StoreId id, const std::map<std::string, std::string>& labels,
                         bool replace);
  absl::Status DeleteLabel(StoreId id, const std::string& key);
  absl::Status SetWeight(StoreId id, double leader, double region);

  const StoreInfo* Find(StoreId id) const;
  StoreInfo* FindMutable(StoreId id);
  // NotFound "[PD:core:ErrStoreNotFound]store 7 not found".
  absl::StatusOr<StoreInfo*> Get(StoreId id);
  const std::map<uint64_t, StoreInfo>& all() const { return stores_; }
  size_t up_count() const;
  // The lowest version among stores that are not tombstones; nullopt without any.
  std::optional<Version> LowestVersion() const;

 private:
  std::map<uint64_t, StoreInfo> stores_;
};

// A label key or value of one store, as the admin API checks it: InvalidArgument with the pattern.
absl::Status CheckLabel(std::string_view key, std::string_view value);

}  // namespace tikv::pd
