// One region as its leader last reported it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/base/strong_id.h"
#include "proto/metapb.pb.h"
#include "proto/pdpb.pb.h"

namespace tikv::pd {

// A region's descriptor with what only its leader knows: health of the peers, sizes, traffic.
// Immutable once it is in a RegionTable: readers keep a RegionPtr and need no lock.
struct RegionInfo {
  metapb::Region meta;
  metapb::Peer leader;  // Id 0: no leader has reported since this PD leads.
  std::vector<pdpb::PeerStats> down_peers;
  std::vector<metapb::Peer> pending_peers;
  uint64_t term = 0;
  uint64_t approximate_size_mib = 0;  // 0: not reported; at least 1 in a RegionTable.
  uint64_t approximate_keys = 0;
  uint64_t approximate_kv_size_mib = 0;
  // Over the reported interval, in bytes and keys.
  uint64_t written_bytes = 0, written_keys = 0, read_bytes = 0, read_keys = 0;
  uint64_t read_queries = 0, write_queries = 0;
  uint64_t cpu_usage = 0;
  uint64_t interval_start_s = 0, interval_end_s = 0;
  bool reported = false;  // By a heartbeat to this leader, not loaded from the local cache.

  RegionId id() const { return RegionId(meta.id()); }
  std::string_view start() const { return meta.start_key(); }
  std::string_view end() const { return meta.end_key(); }  // "" = no bound.
  bool Contains(std::string_view key) const {
    return key >= start() && (end().empty() || key < end());
  }
  uint64_t interval_s() const {
    return interval_end_s > interval_start_s ? interval_end_s - interval_start_s : 0;
  }

  // nullptr when no peer matches.
  const metapb::Peer* PeerOn(StoreId store) const;
  const metapb::Peer* PeerWith(PeerId peer) const;
  bool IsDown(PeerId peer) const;
  bool IsPending(PeerId peer) const;
  // A conf change entered a joint configuration and did not leave it.
  bool InJointState() const;
  // No down peer and no pending peer.
  bool Healthy() const { return down_peers.empty() && pending_peers.empty(); }
};
using RegionPtr = std::shared_ptr<const RegionInfo>;

// Voters of the coming configuration: plain voters and those that are becoming one.
inline bool IsVoter(const metapb::Peer& p) {
  return p.role() == metapb::Voter || p.role() == metapb::IncomingVoter;
}
inline bool IsLearner(const metapb::Peer& p) { return p.role() == metapb::Learner; }

// Takes the descriptor and the statistics out of a heartbeat, which is left without them.
std::shared_ptr<RegionInfo> TakeRegion(pdpb::RegionHeartbeatRequest* heartbeat);

// Fills what region queries answer: descriptor, leader, down and pending peers.
void FillRegion(const RegionInfo& region, pdpb::Region* out);
void FillRegion(const RegionInfo& region, pdpb::GetRegionResponse* out);

// "id:7 start:... version:2 conf_ver:3", for error texts and logs.
std::string Describe(const RegionInfo& region);

}  // namespace tikv::pd
