// Which region holds which key, as far as this client knows.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "proto/metapb.pb.h"

namespace tikv::client {

// A region with its boundaries as the client's keys (decoded) and the replica to talk to.
// Immutable: a change makes another one.
struct Region {
  metapb::Region meta;
  metapb::Peer leader;  // store_id 0: unknown.
  std::string start;
  std::string end;  // "": the end of the key space.

  bool Holds(std::string_view key) const { return key >= start && (end.empty() || key < end); }
};

using RegionPtr = std::shared_ptr<const Region>;

// Regions by their end, without overlaps.  Thread-safe.
class RegionCache {
 public:
  // The region that holds `key`; with `before`, the one that holds what sorts just before `key`
  // ("" there: the end of the key space), for reverse scans.  Null when unknown.
  RegionPtr Find(std::string_view key, bool before = false) const;
  // Replaces what it overlaps, unless that is newer (then nothing changes).
  void Insert(RegionPtr region);
  // Forgets `region` if it is still what the cache holds.
  void Invalidate(const RegionPtr& region);
  // Makes `leader` the replica to talk to.  False when it is no peer of the region.
  bool SwitchLeader(const RegionPtr& region, const metapb::Peer& leader);

 private:
  using Map = std::map<std::string, RegionPtr, std::less<>>;  // By end; "" stands for the last.
  Map::const_iterator Locate(std::string_view key, bool before) const;

  mutable std::mutex mutex_;
  Map by_end_;
  RegionPtr last_;  // The region without an end.
};

}  // namespace tikv::client
