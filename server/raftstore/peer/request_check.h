// The checks between a request and a replica, in the order in which clients expect them to win.
#pragma once

#include <optional>

#include "proto/metapb.pb.h"
#include "server/port/region_error.h"
#include "server/port/request_header.h"

namespace tikv::server {

// What the checks look at.
struct ReplicaState {
  StoreId store;
  PeerId peer;
  const metapb::Region* region = nullptr;
  bool initialized = false;
  bool applying_snapshot = false;
  bool leads = false;
  const metapb::Peer* leader = nullptr;  // As far as known.
  uint64_t term = 0;
};

enum class CheckKind : uint8_t { kLeaderRequest, kReplicaRead };

// Store, peer, leadership, initialised, snapshot, term.  Empty: go on with CheckVersion.
RegionError CheckReplica(const RequestHeader& header, const ReplicaState& state, CheckKind kind);

// Whether the client's idea of the region's range is current (conf_ver is not looked at).
inline bool VersionMatches(const RequestHeader& header, const metapb::Region& region) {
  return header.version == region.region_epoch().version();
}

}  // namespace tikv::server
