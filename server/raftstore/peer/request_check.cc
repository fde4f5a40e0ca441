#include "server/raftstore/peer/request_check.h"

#include <fmt/format.h>

namespace tikv::server {

RegionError CheckReplica(const RequestHeader& header, const ReplicaState& state, CheckKind kind) {
  const RegionId region(state.region->id());
  if (header.store != state.store) return RegionError::StoreNotMatch(header.store, state.store);
  if (header.peer != state.peer) return RegionError::MismatchPeerId(header.peer, state.peer);
  if (kind == CheckKind::kLeaderRequest && !state.leads) {
    return RegionError::NotLeader(region, state.leader);
  }
  if (!state.initialized) return RegionError::RegionNotInitialized(region);
  if (state.applying_snapshot) {
    return RegionError::FromMessage(fmt::format("region {} is applying a snapshot", region.value));
  }
  // One term of grace: the leader may have just taken over from itself.
  if (header.term != 0 && header.term + 1 < state.term) return RegionError::StaleCommand();
  return {};
}

}  // namespace tikv::server
