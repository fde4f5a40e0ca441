#include "pd/schedule/checker.h"

#include <algorithm>

#include "pd/schedule/builder.h"
#include "pd/schedule/filter.h"

namespace tikv::pd {
namespace {

std::optional<Operator> Optional(absl::StatusOr<Operator> op) {
  if (!op.ok()) return std::nullopt;
  return *std::move(op);
}

size_t Voters(const RegionInfo& region) {
  return std::count_if(region.meta.peers().begin(), region.meta.peers().end(),
                       [](const auto& p) { return IsVoter(p); });
}

const StoreInfo* StoreOf(const ClusterView& view, const metapb::Peer& peer) {
  return view.stores.Find(StoreId(peer.store_id()));
}

// A voter that does not follow the leader, or nullptr.
const metapb::Peer* UnsoundVoter(const ClusterView& view, const RegionInfo& region) {
  const auto& peers = region.meta.peers();
  auto it = std::find_if(peers.begin(), peers.end(), [&](const auto& p) {
    return IsVoter(p) && p.id() != region.leader.id() && !IsSound(view, region, p);
  });
  return it == peers.end() ? nullptr : &*it;
}

// TiFlash and the like ask for learners of their own, which nobody else may touch.
bool OwnsLearners(const StoreInfo* store) {
  return store != nullptr && !store->Label("engine").empty();
}

}  // namespace

bool ReplicaChecker::Known(const std::string& name) {
  static const std::set<std::string>* const kNames = new std::set<std::string>{
      "learner", "replica", "rule", "split", "merge", "joint-state", "priority", "affinity"};
  return kNames->contains(name);
}

bool ReplicaChecker::Paused(const std::string& name, int64_t now_ms) const {
  auto it = paused_until_ms_.find(name);
  return it != paused_until_ms_.end() && it->second > now_ms;
}

std::optional<Operator> ReplicaChecker::Check(const ClusterView& view, RegionPtr region) const {
  if (region->leader.id() == 0 || controller_->Running(region->id()) != nullptr) {
    return std::nullopt;
  }
  if (region->InJointState()) {
    if (Paused("joint-state", view.now_ms)) return std::nullopt;
    return LeaveJointState(view, *region);
  }
  if (Paused("replica", view.now_ms) || Paused("rule", view.now_ms)) return std::nullopt;
  if (controller_->Count(kOpReplica) >= view.config.schedule().replica_schedule_limit) {
    return std::nullopt;
  }
  const auto& c = view.config.schedule();
  Result op;
  if (!Paused("learner", view.now_ms)) op = CheckLearner(view, region);
  if (!op && c.remove_down) op = CheckDown(view, region);
  if (!op && c.replace_offline) op = CheckOffline(view, region);
  if (!op) op = CheckCount(view, region);
  if (!op && c.location_replacement) op = CheckLocation(view, region);
  if (op) {
    op->kind |= kOpReplica;
    op->priority = std::max(op->priority, OperatorPriority::kHigh);
  }
  return op;
}

ReplicaChecker::Result ReplicaChecker::CheckLearner(const ClusterView& view,
                                                    const RegionPtr& region) const {
  const bool wanted = Voters(*region) < view.config.replication().max_replicas;
  for (const auto& p : region->meta.peers()) {
    const StoreInfo* store = StoreOf(view, p);
    if (!IsLearner(p) || OwnsLearners(store)) continue;
    const bool gone = store == nullptr || store->removed();
    // It may be catching up; on a store that is gone it never will.
    if (!gone && (region->IsPending(PeerId(p.id())) || region->IsDown(PeerId(p.id())))) continue;
    if (wanted && !gone && store->up()) {
      OperatorBuilder b(view, region, "promote-learner");
      return Optional(b.Promote(StoreId(p.store_id()))
                          .Build(0, fmt::format("promote peer: store [{}]", p.store_id())));
    }
    OperatorBuilder b(view, region, "remove-extra-learner");
    return Optional(b.RemovePeerOn(StoreId(p.store_id()))
                        .Build(kOpRegion, fmt::format("rm peer: store [{}]", p.store_id())));
  }
  return std::nullopt;
}

ReplicaChecker::Result ReplicaChecker::Replace(const ClusterView& view, const RegionPtr& region,
                                               const metapb::Peer& peer,
                                               const std::string& why) const {
  const StoreId from(peer.store_id());
  if (Voters(*region) > view.config.replication().max_replicas || IsLearner(peer)) {
    OperatorBuilder b(view, region, "remove-extra-" + why + "-replica");
    return Optional(
        b.RemovePeerOn(from).Build(kOpRegion, fmt::format("rm peer: store [{}]", from.value)));
  }
  const StoreInfo* to = BestTarget(view, *region, from, [&](const StoreInfo& s) {
    return controller_->HasLimit(view, s.id(), true, region->approximate_size_mib);
  });
  if (to == nullptr) return std::nullopt;
  return Optional(MovePeer(view, region, from, to->id(), "replace-" + why + "-replica", kOpRegion));
}

ReplicaChecker::Result ReplicaChecker::CheckDown(const ClusterView& view,
                                                 const RegionPtr& region) const {
  const int64_t limit_ms = view.config.schedule().max_store_down_ms;
  for (const auto& down : region->down_peers) {
    const metapb::Peer* peer = region->PeerWith(PeerId(down.peer().id()));
    if (peer == nullptr) continue;
    const StoreInfo* store = StoreOf(view, *peer);
    const bool gone = store == nullptr || store->removed();
    if (!gone && store->silent_ms(view.now_ms) < limit_ms) continue;
    if (!gone && static_cast<int64_t>(down.down_seconds()) * 1000 < limit_ms) continue;
    if (Result op = Replace(view, region, *peer, "down")) return op;
  }
  return std::nullopt;
}

ReplicaChecker::Result ReplicaChecker::CheckOffline(const ClusterView& view,
                                                    const RegionPtr& region) const {
  for (const auto& peer : region->meta.peers()) {
    const StoreInfo* store = StoreOf(view, peer);
    if (store == nullptr || store->up()) continue;
    if (Result op = Replace(view, region, peer, "offline")) return op;
  }
  return std::nullopt;
}

ReplicaChecker::Result ReplicaChecker::CheckCount(const ClusterView& view,
                                                  const RegionPtr& region) const {
  const uint64_t wanted = view.config.replication().max_replicas;
  const uint64_t voters = Voters(*region);
  if (voters < wanted && view.config.schedule().make_up) {
    const StoreInfo* to = BestTarget(view, *region, StoreId(), [&](const StoreInfo& s) {
      return controller_->HasLimit(view, s.id(), true, region->approximate_size_mib);
    });
    if (to == nullptr) return std::nullopt;
    OperatorBuilder b(view, region, "make-up-replica");
    return Optional(
        b.AddPeer(to->id()).Build(kOpRegion, fmt::format("add peer: store [{}]", to->meta.id())));
  }
  if (voters > wanted && view.config.schedule().remove_extra) {
    // One that does not work goes first: without a sound one the others may lose the majority.
    const metapb::Peer* worst = UnsoundVoter(view, *region);
    if (worst == nullptr) worst = WorstPeer(view, *region);
    if (worst == nullptr) return std::nullopt;
    const StoreId store(worst->store_id());
    OperatorBuilder b(view, region, "remove-extra-replica");
    return Optional(
        b.RemovePeerOn(store).Build(kOpRegion, fmt::format("rm peer: store [{}]", store.value)));
  }
  return std::nullopt;
}

ReplicaChecker::Result ReplicaChecker::CheckLocation(const ClusterView& view,
                                                     const RegionPtr& region) const {
  if (view.config.replication().location_labels.empty() || !region->Healthy()) {
    return std::nullopt;
  }
  const metapb::Peer* worst = WorstPeer(view, *region);
  const StoreInfo* from = worst == nullptr ? nullptr : StoreOf(view, *worst);
  if (from == nullptr) return std::nullopt;
  std::vector<const StoreInfo*> others;
  for (const auto& p : region->meta.peers()) {
    if (p.id() != worst->id()) {
      if (const StoreInfo* s = StoreOf(view, p)) others.push_back(s);
    }
  }
  const double now = IsolationScore(view, *from, others);
  const StoreInfo* to = BestTarget(view, *region, from->id(), [&](const StoreInfo& s) {
    return IsolationScore(view, s, others) > now &&
           controller_->HasLimit(view, s.id(), true, region->approximate_size_mib);
  });
  if (to == nullptr) return std::nullopt;
  return Optional(
      MovePeer(view, region, from->id(), to->id(), "move-to-better-location", kOpRegion));
}

}  // namespace tikv::pd
