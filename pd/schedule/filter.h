// Which stores may give or take what, and how well peers are spread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pd/schedule/view.h"

namespace tikv::pd {

// nullptr = the store may; else why not, a word for diagnostics ("down", "busy", ...).
// A leader may move away from / to the store:
const char* LeaderSourceObstacle(const ClusterView& view, const StoreInfo& store);
const char* LeaderTargetObstacle(const ClusterView& view, const StoreInfo& store);
// A peer may move away from / to the store:
const char* RegionSourceObstacle(const ClusterView& view, const StoreInfo& store);
const char* RegionTargetObstacle(const ClusterView& view, const StoreInfo& store);

// How far apart peers on `a` and `b` are: 100^(labels - 1 - index of the first label that
// differs); 0 when all are equal.
double IsolationScore(const std::vector<std::string>& labels, const StoreInfo& a,
                      const StoreInfo& b);
// Sum over the pairs of `store` with each of `others`.
double IsolationScore(const ClusterView& view, const StoreInfo& store,
                      const std::vector<const StoreInfo*>& others);

// The store for a new peer of `region`: best isolated from the peers that stay, then with the
// lowest region score.  `leaving`: the store whose peer goes, or 0.  nullptr when none may take it.
const StoreInfo* BestTarget(const ClusterView& view, const RegionInfo& region, StoreId leaving,
                            const std::function<bool(const StoreInfo&)>& allowed);
// Whether a peer is known to follow its leader: neither down nor behind, on a store that reports.
bool IsSound(const ClusterView& view, const RegionInfo& region, const metapb::Peer& peer);
// The voter to leave its region to: least isolated, then highest score.  nullptr without any.
const metapb::Peer* WorstPeer(const ClusterView& view, const RegionInfo& region);
// A peer that can lead the region, on the store with the lowest leader score.
const metapb::Peer* BestLeader(const ClusterView& view, const RegionInfo& region,
                               const std::function<bool(const metapb::Peer&)>& allowed);

// Scores that balancing compares; `delta` is added to what the store holds (MiB for regions).
double LeaderScore(const ClusterView& view, const StoreInfo& store, double delta);
double RegionScore(const ClusterView& view, const StoreInfo& store, double delta);

}  // namespace tikv::pd
