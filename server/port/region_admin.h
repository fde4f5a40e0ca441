// RegionAdmin: what the split RPC and Debug need beside reads and writes.  Includes wire types:
// for service/ only.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/callback.h"
#include "proto/eraftpb.pb.h"
#include "proto/metapb.pb.h"
#include "proto/raft_serverpb.pb.h"
#include "server/port/region_error.h"
#include "server/port/request_header.h"

namespace tikv::server {

// What became of a split; `regions` only without error.
struct SplitResult {
  RegionError error;
  std::vector<metapb::Region> regions;  // Left to right; the old id is the last.
};

// One replica as Debug shows it; a copy.
struct RegionDetails {
  raft_serverpb::RaftLocalState raft_local_state;
  raft_serverpb::RaftApplyState raft_apply_state;
  raft_serverpb::RegionLocalState region_local_state;
  std::optional<metapb::Peer> leader;
  bool is_leader = false;
};

// Thread-safe; callbacks as in ReplicatedEngine.
class RegionAdmin {
 public:
  virtual ~RegionAdmin() = default;

  // Cuts the region at `keys` (as they stand in region boundaries: encoded where the caller's keys
  // are encoded; any order, duplicates collapse).  Checks the version only.  A key outside:
  // KeyNotInRegion; none left strictly inside: message "no valid key found for split".
  virtual void SplitRegion(const RequestHeader& header, std::vector<std::string> keys,
                           Callback<SplitResult> done) = 0;

  // Regions with a peer here (tombstones are not).
  virtual void ListRegions(Callback<std::vector<RegionId>> done) = 0;
  // NotFound: no peer here.
  virtual void DescribeRegion(RegionId region, Callback<absl::StatusOr<RegionDetails>> done) = 0;
  // NotFound: no such region or index.
  virtual void RaftEntry(RegionId region, uint64_t index,
                         Callback<absl::StatusOr<eraftpb::Entry>> done) = 0;
};

}  // namespace tikv::server
