// Where things are in the engine.
//
// User data: 'z' + key in default, lock and write.  The store's own records are in family raft
// under the prefix 0x01:
//   01 01                          store ident (StoreIdent)
//   01 02                          bootstrap in progress (Region, deleted when PD knows it)
//   01 02 + region BE8 + 03        apply state of a region (RaftApplyState)
//   01 02 + region BE8 + 04        Raft state of the snapshot being applied (RaftLocalState)
//   01 03 + region BE8 + 01        region state (RegionLocalState)
// Raft entries and hard states are not here but in lib/raftlog.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/strong_id.h"

namespace tikv::server {

inline constexpr char kDataPrefix = 'z';
// First key after all user data.
inline constexpr std::string_view kDataEnd = "{";

std::string DataKey(std::string_view key);
// The end bound of user data: "" (no end) becomes the end of all user data.
std::string DataEndKey(std::string_view end);
// REQUIRES: begins with the data prefix.
std::string_view StripDataPrefix(std::string_view data_key);

// Whether start <= key < end, where an empty end means no bound.
constexpr bool InRange(std::string_view key, std::string_view start, std::string_view end) {
  return key >= start && (end.empty() || key < end);
}

inline constexpr std::string_view kStoreIdentKey{"\x01\x01", 2};
inline constexpr std::string_view kPrepareBootstrapKey{"\x01\x02", 2};
std::string ApplyStateKey(RegionId region);
std::string SnapshotRaftStateKey(RegionId region);
std::string RegionStateKey(RegionId region);
// [first, last) holds all RegionStateKeys.
inline constexpr std::string_view kRegionStateFirst{"\x01\x03", 2};
inline constexpr std::string_view kRegionStateLast{"\x01\x04", 2};
// nullopt when it is no RegionStateKey.
std::optional<RegionId> ParseRegionStateKey(std::string_view key);

}  // namespace tikv::server
