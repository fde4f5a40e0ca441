// The part of PD's configuration that can change at run time: schedule, replication, pd-server,
// cluster version, label properties and the replication mode.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pd/core/store.h"

namespace tikv::pd {

// What the schedulers read, taken from the document.  Times in ms.
struct ScheduleConfig {
  uint64_t max_snapshot_count = 0, max_pending_peer_count = 0;
  uint64_t leader_schedule_limit = 0, region_schedule_limit = 0, replica_schedule_limit = 0;
  uint64_t max_waiting_operator = 0;
  uint64_t max_merge_region_size = 0;
  int64_t max_store_down_ms = 0, max_store_preparing_ms = 0, patrol_interval_ms = 0;
  double low_space_ratio = 0, high_space_ratio = 0, tolerant_size_ratio = 0;
  bool leader_by_size = false;
  bool remove_down = false, replace_offline = false, make_up = false, remove_extra = false;
  bool location_replacement = false;
  bool joint_consensus = false, allow_split = false, halted = false;
  StoreLimit default_limit;
  std::map<uint64_t, StoreLimit> store_limit;

  StoreLimit LimitOf(StoreId store) const;
};

// How many replicas there are and how they are spread, taken from the document.
struct ReplicationConfig {
  uint64_t max_replicas = 3;
  std::vector<std::string> location_labels;
  bool strictly_match_label = false;
  std::string isolation_level;
};

// The document has the field names, value kinds and defaults of the original, so that whatever
// reads or sets a key by name finds it.  Not thread-safe; Cluster guards it.
// Errors: InvalidArgument for unknown items and wrong types (HTTP 400), FailedPrecondition for
// values out of range (HTTP 500).
class Config {
 public:
  using Json = nlohmann::ordered_json;

  Config();
  ~Config();
  Config(const Config&);
  Config& operator=(const Config&);

  const ScheduleConfig& schedule() const { return schedule_; }
  const ReplicationConfig& replication() const { return replication_; }
  Version cluster_version() const;
  // Key type "table", "raw" or "txn".
  std::string key_type() const;

  // {"schedule": {...}, "replication": {...}, "pd-server": {...}, "cluster-version": "8.5.0",
  //  "label-property": {...}, "replication-mode": {...}}
  const Json& document() const;
  // One of its members; null when there is none.
  const Json& Section(std::string_view name) const;
  static const Json& Defaults();

  // Flat keys, with or without section: {"schedule.leader-schedule-limit": 8, "max-replicas": 3}.
  // All or nothing.
  absl::Status Update(const Json& items);
  // Keys of one section.
  absl::Status UpdateSection(std::string_view section, const Json& items);
  // Values that hold until `until_ms` (0: drop them) and are neither shown nor persisted.
  absl::Status SetTemporary(const Json& items, int64_t until_ms);
  void ExpireTemporary(int64_t now_ms);

  absl::Status SetClusterVersion(std::string_view version);
  // label-property: {"type": [{"key", "value"}]}.
  absl::Status SetLabelProperty(const std::string& type, const std::string& action,
                                const std::string& key, const std::string& value);
  bool RejectsLeader(const StoreInfo& store) const;
  void SetStoreLimit(StoreId store, std::string_view kind, double rate);
  void RemoveStoreLimit(StoreId store);

  // What is persisted, and back: unknown fields are kept out, missing ones get their defaults.
  std::string Serialize() const;
  absl::Status Load(std::string_view text);

 private:
  struct Temporary {
    std::string section, item, value;
    int64_t until_ms = 0;
  };
  // Brings the typed copies up to date with the document and the temporary values.
  void Refresh();

  std::unique_ptr<Json> document_;
  std::vector<Temporary> temporary_;
  ScheduleConfig schedule_;
  ReplicationConfig replication_;
};

}  // namespace tikv::pd
