// What PD says of a cluster, for people: a table, or JSON.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/http/client.h"

namespace tikv::client {

// One store as PD's REST API shows it.
struct StoreStatus {
  uint64_t id = 0;
  std::string address;
  std::string state;  // Up, Disconnected, Down, Offline, Tombstone
  std::string version;
  uint64_t leaders = 0;
  uint64_t regions = 0;
  std::string used, capacity;  // "1.5GiB"
  uint64_t region_size_mib = 0;
};

// One PD member; without a name while it has never started.
struct MemberStatus {
  std::string name;
  std::string url;
  bool leader = false;
  bool healthy = false;
};

// The whole cluster at one moment.
struct ClusterStatus {
  uint64_t cluster_id = 0;
  std::vector<MemberStatus> members;
  std::vector<StoreStatus> stores;
};

// Asks the first endpoint that answers ("http://127.0.0.1:2379").  Unavailable names them all.
// `timeout` is that of one question to one endpoint.
absl::StatusOr<ClusterStatus> FetchClusterStatus(
    http::Client* client, const std::vector<std::string>& endpoints,
    std::chrono::milliseconds timeout = std::chrono::milliseconds(3'000));

// Columns: store, state, address, leaders, regions, size, capacity; then the members.
std::string FormatTable(const ClusterStatus& status);
std::string FormatJson(const ClusterStatus& status);

// A text table: columns padded to the widest cell, two blanks between.
std::string Align(const std::vector<std::vector<std::string>>& rows);

}  // namespace tikv::client
