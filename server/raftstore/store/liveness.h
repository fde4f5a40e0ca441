// Which followers are there to take over.
#pragma once

#include "server/raftstore/config.h"
#include "server/raftstore/peer/peer.h"

namespace tikv::server {

// Whether the leader has heard of the peer within an election time-out.  Writes stop while
// leadership is handed over: not for one who cannot answer.
inline bool HeardOfLately(const Peer& leader, uint64_t peer, const RaftStoreConfig& config) {
  const auto it = leader.last_active.find(peer);
  if (it == leader.last_active.end()) return false;
  // A leader sees itself at every tick: the time of the last one.
  return leader.stats.leader_seen - it->second < config.tick_interval * config.election_ticks;
}

}  // namespace tikv::server
