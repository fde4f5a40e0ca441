#include "pd/schedule/filter.h"

#include <algorithm>
#include <cmath>

namespace tikv::pd {
namespace {

bool Down(const ClusterView& v, const StoreInfo& s) {
  return s.silent_ms(v.now_ms) > v.config.schedule().max_store_down_ms;
}

bool TooManySnapshots(const ClusterView& v, const StoreInfo& s) {
  const uint64_t limit = v.config.schedule().max_snapshot_count;
  return s.stats.sending_snap_count() > limit || s.stats.receiving_snap_count() > limit;
}

// Stores that ask for a purpose of their own (TiFlash, dedicated ones) take no ordinary peers.
bool Special(const StoreInfo& s) {
  return !s.Label("engine").empty() || !s.Label("exclusive").empty() ||
         !s.Label("specialUse").empty();
}

std::vector<const StoreInfo*> Others(const ClusterView& view, const RegionInfo& region,
                                     StoreId without) {
  std::vector<const StoreInfo*> out;
  for (const auto& p : region.meta.peers()) {
    const StoreInfo* s = view.stores.Find(StoreId(p.store_id()));
    if (s != nullptr && s->id() != without) out.push_back(s);
  }
  return out;
}

}  // namespace

const char* LeaderSourceObstacle(const ClusterView& view, const StoreInfo& s) {
  if (s.removed()) return "removed";
  if (Down(view, s)) return "down";
  if (s.pause_leader_out) return "pause-leader";
  if (s.disconnected(view.now_ms)) return "disconnected";
  return nullptr;
}

const char* LeaderTargetObstacle(const ClusterView& view, const StoreInfo& s) {
  if (!s.up()) return "removing";
  if (Down(view, s)) return "down";
  if (s.pause_leader_in) return "pause-leader";
  if (s.slow_evicted) return "slow-store";
  if (s.stats.is_stopping()) return "stopping";  // It hands its leaders over at this moment.
  if (s.disconnected(view.now_ms)) return "disconnected";
  if (s.stats.is_busy()) return "busy";
  if (view.config.RejectsLeader(s)) return "reject-leader";
  return nullptr;
}

const char* RegionSourceObstacle(const ClusterView& view, const StoreInfo& s) {
  if (s.stats.is_busy()) return "busy";
  if (TooManySnapshots(view, s)) return "too-many-snapshot";
  return nullptr;
}

const char* RegionTargetObstacle(const ClusterView& view, const StoreInfo& s) {
  if (!s.up()) return "removing";
  if (Special(s)) return "special-use";
  if (Down(view, s)) return "down";
  if (s.disconnected(view.now_ms)) return "disconnected";
  if (s.stats.is_busy()) return "busy";
  if (TooManySnapshots(view, s)) return "too-many-snapshot";
  const auto& config = view.config.schedule();
  const uint64_t pending = view.regions.OfStore(s.id()).pending.size();
  if (config.max_pending_peer_count > 0 && pending > config.max_pending_peer_count) {
    return "too-many-pending-peer";
  }
  if (s.LowSpace(config.low_space_ratio, view.regions.size())) return "low-space";
  return nullptr;
}

double IsolationScore(const std::vector<std::string>& labels, const StoreInfo& a,
                      const StoreInfo& b) {
  for (size_t i = 0; i < labels.size(); ++i) {
    if (a.Label(labels[i]) != b.Label(labels[i])) return std::pow(100.0, labels.size() - 1 - i);
  }
  return 0;
}

double IsolationScore(const ClusterView& view, const StoreInfo& store,
                      const std::vector<const StoreInfo*>& others) {
  double sum = 0;
  for (const StoreInfo* other : others) {
    sum += IsolationScore(view.config.replication().location_labels, store, *other);
  }
  return sum;
}

namespace {

// Whether the store differs from every other in a label no finer than the isolation level: where
// that cannot be had, a replica rather stays missing.
bool Isolated(const ClusterView& view, const StoreInfo& store,
              const std::vector<const StoreInfo*>& others) {
  const auto& replication = view.config.replication();
  if (replication.isolation_level.empty()) return true;
  return std::all_of(others.begin(), others.end(), [&](const StoreInfo* other) {
    for (const std::string& label : replication.location_labels) {
      if (store.Label(label) != other->Label(label)) return true;
      if (label == replication.isolation_level) break;
    }
    return false;
  });
}

}  // namespace

const StoreInfo* BestTarget(const ClusterView& view, const RegionInfo& region, StoreId leaving,
                            const std::function<bool(const StoreInfo&)>& allowed) {
  const auto others = Others(view, region, leaving);
  const StoreInfo* best = nullptr;
  double best_isolation = 0, best_score = 0;
  for (const auto& [id, s] : view.stores.all()) {
    if (region.PeerOn(s.id()) != nullptr || RegionTargetObstacle(view, s) != nullptr) continue;
    if (!Isolated(view, s, others) || (allowed && !allowed(s))) continue;
    const double isolation = IsolationScore(view, s, others);
    const double score = RegionScore(view, s, 0);
    if (best == nullptr || isolation > best_isolation ||
        (isolation == best_isolation && score < best_score)) {
      best = &s;
      best_isolation = isolation;
      best_score = score;
    }
  }
  return best;
}

bool IsSound(const ClusterView& view, const RegionInfo& region, const metapb::Peer& peer) {
  const StoreInfo* s = view.stores.Find(StoreId(peer.store_id()));
  return s != nullptr && !s->removed() && !s->disconnected(view.now_ms) &&
         !region.IsDown(PeerId(peer.id())) && !region.IsPending(PeerId(peer.id()));
}

const metapb::Peer* WorstPeer(const ClusterView& view, const RegionInfo& region) {
  const metapb::Peer* worst = nullptr;
  double worst_isolation = 0, worst_score = 0;
  for (const auto& p : region.meta.peers()) {
    if (!IsVoter(p)) continue;
    const StoreInfo* s = view.stores.Find(StoreId(p.store_id()));
    if (s == nullptr) return &p;  // On a store that is gone.
    const double isolation = IsolationScore(view, *s, Others(view, region, s->id()));
    // At equal scores the leader stays: removing it costs a transfer.
    const double score = RegionScore(view, *s, 0) + (p.id() == region.leader.id() ? -0.5 : 0);
    if (worst == nullptr || isolation < worst_isolation ||
        (isolation == worst_isolation && score > worst_score)) {
      worst = &p;
      worst_isolation = isolation;
      worst_score = score;
    }
  }
  return worst;
}

const metapb::Peer* BestLeader(const ClusterView& view, const RegionInfo& region,
                               const std::function<bool(const metapb::Peer&)>& allowed) {
  const metapb::Peer* best = nullptr;
  double best_score = 0;
  for (const auto& p : region.meta.peers()) {
    const bool sound = IsVoter(p) && p.id() != region.leader.id() && !p.is_witness() &&
                       !region.IsPending(PeerId(p.id())) && !region.IsDown(PeerId(p.id()));
    if (!sound || (allowed && !allowed(p))) continue;
    const StoreInfo* s = view.stores.Find(StoreId(p.store_id()));
    if (s == nullptr || LeaderTargetObstacle(view, *s) != nullptr) continue;
    const double score = LeaderScore(view, *s, 0);
    if (best == nullptr || score < best_score) {
      best = &p;
      best_score = score;
    }
  }
  return best;
}

double LeaderScore(const ClusterView& view, const StoreInfo& store, double delta) {
  const StoreRegions& held = view.regions.OfStore(store.id());
  const double amount = view.config.schedule().leader_by_size
                            ? static_cast<double>(held.leader_size_mib)
                            : static_cast<double>(held.leaders.size());
  return (amount + delta) / std::max(store.leader_weight, 1e-6);
}

namespace {

// Free space as the score takes it: what differs by no more than a hundredth of the capacity is
// noise (reports of different seconds, stores that share a disk), and near the low-space mark the
// score would make regions follow it to and fro.
double LevelAvailable(const ClusterView& view, const StoreInfo& store) {
  const auto own = static_cast<double>(store.stats.available());
  const double noise = static_cast<double>(store.stats.capacity()) / 100;
  double sum = 0, count = 0;
  for (const auto& [id, other] : view.stores.all()) {
    const auto available = static_cast<double>(other.stats.available());
    if (other.stats.capacity() != store.stats.capacity() || other.removed()) continue;
    if (std::abs(available - own) > noise) continue;
    sum += available;
    ++count;
  }
  return count > 0 ? sum / count : own;
}

}  // namespace

// The original's formula, version 2.  While a store has plenty of space its score is the size of
// its regions, made steeper as space gets short, and prohibitive beyond the low-space mark.
double RegionScore(const ClusterView& view, const StoreInfo& store, double delta) {
  constexpr double kK = 1, kM = 256;
  const double gib = 1024.0 * 1024 * 1024;
  const double size =
      std::max(0.0, static_cast<double>(view.regions.OfStore(store.id()).region_size_mib) + delta);
  const double capacity = store.stats.capacity() / gib,
               available = LevelAvailable(view, store) / gib;
  const double reserve = std::max(50.0, capacity * (1 - view.config.schedule().low_space_ratio));
  const double weight = std::max(store.region_weight, 1e-6);
  if (available >= capacity || capacity < 1) return size / weight;
  if (available > reserve) {
    const double used = capacity - available + reserve - 1;
    const double gap = std::log(capacity) - std::log(available - reserve + 1);
    return (kK + (used > 0 ? kM * gap / used : 0)) * size / weight;
  }
  return ((kK + kM * std::log(capacity) / capacity) * size +
          1e10 * (reserve - available) / reserve) /
         weight;
}

}  // namespace tikv::pd
