#include "pd/schedule/builder.h"

#include <algorithm>

#include "lib/base/status.h"
#include "pd/schedule/filter.h"

namespace tikv::pd {
namespace {

Operator Empty(const ClusterView& view, const RegionInfo& region, std::string desc) {
  Operator op;
  op.desc = std::move(desc);
  op.region = region.id();
  op.epoch = region.meta.region_epoch();
  op.region_size_mib = region.approximate_size_mib;
  op.created_ms = op.step_started_ms = view.now_ms;
  return op;
}

}  // namespace

OperatorBuilder::OperatorBuilder(const ClusterView& view, RegionPtr region, std::string desc)
    : view_(view),
      region_(std::move(region)),
      op_(Empty(view, *region_, std::move(desc))),
      current_leader_(region_->leader.store_id()) {}

OperatorBuilder& OperatorBuilder::AddPeer(StoreId store) { return AddTo(&adds_, store); }

OperatorBuilder& OperatorBuilder::AddLearnerPeer(StoreId store) {
  return AddTo(&learner_adds_, store);
}

OperatorBuilder& OperatorBuilder::AddTo(std::vector<PeerAt>* list, StoreId store) {
  const StoreInfo* s = view_.stores.Find(store);
  if (s == nullptr || !s->up()) {
    error_ = FailedPrecondition("[PD:core:ErrStoreNotFound]store {} not found", store.value);
  } else if (region_->PeerOn(store) != nullptr) {
    error_ = FailedPrecondition("region {} has a peer on store {} already", region_->meta.id(),
                                store.value);
  }
  list->push_back({store, PeerId(0)});
  return *this;
}

OperatorBuilder& OperatorBuilder::RemovePeerOn(StoreId store) {
  const metapb::Peer* p = region_->PeerOn(store);
  if (p == nullptr) {
    error_ =
        FailedPrecondition("region {} has no peer on store {}", region_->meta.id(), store.value);
  } else {
    removes_.push_back({store, PeerId(p->id())});
  }
  return *this;
}

OperatorBuilder& OperatorBuilder::Promote(StoreId store) {
  const metapb::Peer* p = region_->PeerOn(store);
  if (p == nullptr || !IsLearner(*p)) {
    error_ =
        FailedPrecondition("region {} has no learner on store {}", region_->meta.id(), store.value);
  } else {
    promotes_.push_back({store, PeerId(p->id())});
  }
  return *this;
}

OperatorBuilder& OperatorBuilder::SetLeader(StoreId store) {
  leader_ = store;
  return *this;
}

bool OperatorBuilder::Removes(StoreId store) const {
  return std::any_of(removes_.begin(), removes_.end(),
                     [&](const PeerAt& r) { return r.store == store; });
}

absl::Status OperatorBuilder::Prepare() {
  RETURN_IF_ERROR(error_);
  if (region_->leader.id() == 0) {
    return FailedPrecondition("region {} has no leader", region_->meta.id());
  }
  if (region_->InJointState()) {
    return FailedPrecondition("region {} is in joint state", region_->meta.id());
  }
  for (auto* list : {&adds_, &learner_adds_}) {
    for (PeerAt& p : *list) {
      p.peer = PeerId(view_.new_id());
      if (!p.peer) return FailedPrecondition("no peer id at hand");
    }
  }
  size_t voters = adds_.size() + promotes_.size();
  for (const auto& p : region_->meta.peers()) {
    if (IsVoter(p) && !Removes(StoreId(p.store_id()))) ++voters;
  }
  if (voters == 0) return FailedPrecondition("region {} would lose all voters", region_->meta.id());
  return absl::OkStatus();
}

absl::Status OperatorBuilder::CheckMajority() const {
  size_t voters = adds_.size() + promotes_.size(), sound = voters;
  bool takes_sound = false;
  for (const auto& p : region_->meta.peers()) {
    if (!IsVoter(p)) continue;
    const bool works = IsSound(view_, *region_, p);
    if (Removes(StoreId(p.store_id()))) {
      takes_sound |= works;
    } else {
      ++voters;
      sound += works;
    }
  }
  if (!takes_sound || sound > voters / 2) return absl::OkStatus();
  return FailedPrecondition("region {} would be left with {} of {} voters that work",
                            region_->meta.id(), sound, voters);
}

absl::Status OperatorBuilder::HandOver() {
  StoreId to = leader_;
  const metapb::Peer* wanted = to ? region_->PeerOn(to) : nullptr;
  if (wanted == nullptr || !IsVoter(*wanted)) {
    const metapb::Peer* heir = BestLeader(
        view_, *region_, [&](const metapb::Peer& p) { return !Removes(StoreId(p.store_id())); });
    to = heir == nullptr ? StoreId() : StoreId(heir->store_id());
  }
  if (!to) return NotFound("no peer of region {} can take the lead", region_->meta.id());
  op_.steps.push_back(TransferLeader{current_leader_, to});
  op_.kind |= kOpLeader;
  current_leader_ = to;
  return absl::OkStatus();
}

absl::Status OperatorBuilder::PlanJoint() {
  EnterJoint enter;
  for (const PeerAt& p : adds_) op_.steps.push_back(AddLearner{p});
  enter.promote = adds_;
  enter.promote.insert(enter.promote.end(), promotes_.begin(), promotes_.end());
  for (const PeerAt& p : removes_) {
    if (IsVoter(*region_->PeerOn(p.store))) enter.demote.push_back(p);
  }
  const bool leader_goes = Removes(current_leader_);
  // Hand over to an old voter before; when there is none fit, to a new one while both
  // configurations count.
  const bool handed_over = leader_goes && HandOver().ok();
  op_.steps.push_back(enter);
  if (leader_goes && !handed_over) {
    op_.steps.push_back(TransferLeader{current_leader_, enter.promote.front().store});
    current_leader_ = enter.promote.front().store;
  }
  op_.steps.push_back(LeaveJoint{enter.promote, enter.demote});
  for (const PeerAt& p : removes_) op_.steps.push_back(RemovePeer{p});
  return absl::OkStatus();
}

absl::Status OperatorBuilder::PlanSimple() {
  for (const PeerAt& p : promotes_) op_.steps.push_back(PromoteLearner{p});
  for (const PeerAt& p : adds_) {
    op_.steps.push_back(AddLearner{p});
    op_.steps.push_back(PromoteLearner{p});
  }
  for (const PeerAt& p : removes_) {
    if (p.store == current_leader_) {
      if (absl::Status s = HandOver(); !s.ok()) {
        if (adds_.empty()) return s;
        op_.steps.push_back(TransferLeader{current_leader_, adds_.front().store});
        current_leader_ = adds_.front().store;
      }
    }
    op_.steps.push_back(RemovePeer{p});
  }
  return absl::OkStatus();
}

absl::StatusOr<Operator> OperatorBuilder::Build(uint32_t kind, std::string brief) {
  op_.kind = kind;
  op_.brief = std::move(brief);
  RETURN_IF_ERROR(Prepare());
  // An administrator may know better.
  if ((kind & kOpAdmin) == 0) RETURN_IF_ERROR(CheckMajority());
  for (const PeerAt& p : learner_adds_) op_.steps.push_back(AddLearner{p});
  const bool demotes = std::any_of(removes_.begin(), removes_.end(), [&](const PeerAt& p) {
    return IsVoter(*region_->PeerOn(p.store));
  });
  const bool exchange = demotes && adds_.size() + promotes_.size() > 0;
  const bool joint = exchange && view_.config.schedule().joint_consensus;
  RETURN_IF_ERROR(joint ? PlanJoint() : PlanSimple());
  if (leader_ && leader_ != current_leader_) {
    op_.steps.push_back(TransferLeader{current_leader_, leader_});
    op_.kind |= kOpLeader;
  }
  if (op_.steps.empty()) {
    return FailedPrecondition("nothing to do for region {}", region_->meta.id());
  }
  return std::move(op_);
}

absl::StatusOr<Operator> MoveLeader(const ClusterView& view, RegionPtr region, StoreId to,
                                    std::string desc, uint32_t kind) {
  const metapb::Peer* p = region->PeerOn(to);
  if (p == nullptr || !IsVoter(*p)) {
    return FailedPrecondition("region has no voter in store {}", to.value);
  }
  const std::string brief =
      fmt::format("transfer leader: store {} to {}", region->leader.store_id(), to.value);
  OperatorBuilder b(view, std::move(region), std::move(desc));
  return b.SetLeader(to).Build(kind | kOpLeader, brief);
}

absl::StatusOr<Operator> MovePeer(const ClusterView& view, RegionPtr region, StoreId from,
                                  StoreId to, std::string desc, uint32_t kind) {
  const metapb::Peer* p = region->PeerOn(from);
  const bool learner = p != nullptr && IsLearner(*p);
  OperatorBuilder b(view, std::move(region), std::move(desc));
  learner ? b.AddLearnerPeer(to) : b.AddPeer(to);
  return b.RemovePeerOn(from).Build(
      kind | kOpRegion, fmt::format("mv peer: store [{}] to [{}]", from.value, to.value));
}

Operator LeaveJointState(const ClusterView& view, const RegionInfo& region) {
  Operator op = Empty(view, region, "leave-joint-state");
  op.kind = kOpRegion;
  op.brief = "leave joint state";
  op.priority = OperatorPriority::kHigh;
  LeaveJoint leave;
  for (const auto& p : region.meta.peers()) {
    if (p.role() == metapb::IncomingVoter) {
      leave.promote.push_back({StoreId(p.store_id()), PeerId(p.id())});
    } else if (p.role() == metapb::DemotingVoter) {
      leave.demote.push_back({StoreId(p.store_id()), PeerId(p.id())});
    }
  }
  // A leader that is about to become a learner hands over to a voter of the new configuration.
  const metapb::Peer* leader = region.PeerWith(PeerId(region.leader.id()));
  if (leader != nullptr && leader->role() == metapb::DemotingVoter) {
    if (const metapb::Peer* heir = BestLeader(view, region, nullptr)) {
      op.steps.push_back(
          TransferLeader{StoreId(region.leader.store_id()), StoreId(heir->store_id())});
    }
  }
  op.steps.push_back(std::move(leave));
  return op;
}

Operator SplitAt(const ClusterView& view, const RegionInfo& region, pdpb::CheckPolicy policy,
                 std::vector<std::string> keys, std::string desc, uint32_t kind) {
  Operator op = Empty(view, region, std::move(desc));
  op.kind = kind | kOpSplit;
  op.brief = fmt::format("split: region {} use policy {}", region.meta.id(),
                         pdpb::CheckPolicy_Name(policy));
  op.steps.push_back(SplitRegion{policy, std::move(keys), region.meta.region_epoch().version()});
  return op;
}

}  // namespace tikv::pd
