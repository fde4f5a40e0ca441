#include "pd/schedule/step.h"

#include <fmt/core.h>

#include <algorithm>

namespace tikv::pd {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// The peer with this id on this store, or nullptr.
const metapb::Peer* Find(const RegionInfo& region, const PeerAt& at) {
  const metapb::Peer* p = region.PeerOn(at.store);
  return p != nullptr && p->id() == at.peer.value ? p : nullptr;
}

bool HasRole(const RegionInfo& region, const PeerAt& at,
             std::initializer_list<metapb::PeerRole> roles) {
  const metapb::Peer* p = Find(region, at);
  return p != nullptr && std::find(roles.begin(), roles.end(), p->role()) != roles.end();
}

bool Entered(const EnterJoint& s, const RegionInfo& region) {
  auto up = [&](const PeerAt& p) {
    return HasRole(region, p, {metapb::IncomingVoter, metapb::Voter});
  };
  auto down = [&](const PeerAt& p) {
    return Find(region, p) == nullptr ||
           HasRole(region, p, {metapb::DemotingVoter, metapb::Learner});
  };
  return std::all_of(s.promote.begin(), s.promote.end(), up) &&
         std::all_of(s.demote.begin(), s.demote.end(), down);
}

bool Left(const LeaveJoint& s, const RegionInfo& region) {
  auto up = [&](const PeerAt& p) { return HasRole(region, p, {metapb::Voter}); };
  return !region.InJointState() && std::all_of(s.promote.begin(), s.promote.end(), up);
}

void Fill(const PeerAt& at, metapb::PeerRole role, metapb::Peer* out) {
  out->set_id(at.peer.value);
  out->set_store_id(at.store.value);
  out->set_role(role);
}

void FillChange(eraftpb::ConfChangeType type, const PeerAt& at, metapb::PeerRole role,
                pdpb::ChangePeer* out) {
  out->set_change_type(type);
  Fill(at, role, out->mutable_peer());
}

std::string List(const std::vector<PeerAt>& peers) {
  std::string out;
  for (const PeerAt& p : peers) {
    out += fmt::format("{}{} on store {}", out.empty() ? "" : ", ", p.peer.value, p.store.value);
  }
  return "[" + out + "]";
}

}  // namespace

bool IsFinished(const Step& step, const RegionInfo& region) {
  return std::visit(
      Overloaded{
          [&](const TransferLeader& s) { return region.leader.store_id() == s.to.value; },
          [&](const AddLearner& s) {
            return Find(region, s.at) != nullptr && !region.IsPending(s.at.peer);
          },
          [&](const PromoteLearner& s) { return HasRole(region, s.at, {metapb::Voter}); },
          [&](const RemovePeer& s) { return Find(region, s.at) == nullptr; },
          [&](const EnterJoint& s) { return Entered(s, region); },
          [&](const LeaveJoint& s) { return Left(s, region); },
          [&](const SplitRegion& s) { return region.meta.region_epoch().version() > s.version; },
      },
      step);
}

std::optional<std::string> Obstacle(const Step& step, const RegionInfo& region) {
  using Result = std::optional<std::string>;
  auto missing = [&](const PeerAt& at) -> Result {
    if (Find(region, at) != nullptr) return std::nullopt;
    return fmt::format("peer {} on store {} does not exist", at.peer.value, at.store.value);
  };
  return std::visit(Overloaded{
                        [&](const TransferLeader& s) -> Result {
                          const metapb::Peer* p = region.PeerOn(s.to);
                          if (p == nullptr) return fmt::format("no peer on store {}", s.to.value);
                          if (IsLearner(*p))
                            return fmt::format("peer on store {} is a learner", s.to.value);
                          return std::nullopt;
                        },
                        [&](const AddLearner& s) -> Result {
                          const metapb::Peer* p = region.PeerOn(s.at.store);
                          if (p == nullptr || p->id() == s.at.peer.value) return std::nullopt;
                          return fmt::format("store {} has peer {} already", s.at.store.value,
                                             p->id());
                        },
                        [&](const PromoteLearner& s) { return missing(s.at); },
                        [&](const RemovePeer& s) -> Result {
                          if (region.leader.id() != s.at.peer.value) return std::nullopt;
                          return fmt::format("peer {} is the leader", s.at.peer.value);
                        },
                        [&](const EnterJoint& s) -> Result {
                          for (const PeerAt& p : s.promote) {
                            if (Result r = missing(p)) return r;
                          }
                          return std::nullopt;
                        },
                        [&](const LeaveJoint&) -> Result { return std::nullopt; },
                        [&](const SplitRegion&) -> Result { return std::nullopt; },
                    },
                    step);
}

void FillOrder(const Step& step, const RegionInfo& region, pdpb::RegionHeartbeatResponse* out) {
  out->set_region_id(region.meta.id());
  *out->mutable_region_epoch() = region.meta.region_epoch();
  *out->mutable_target_peer() = region.leader;
  std::visit(
      Overloaded{
          [&](const TransferLeader& s) {
            *out->mutable_transfer_leader()->mutable_peer() = *region.PeerOn(s.to);
            *out->mutable_transfer_leader()->add_peers() = *region.PeerOn(s.to);
          },
          [&](const AddLearner& s) {
            FillChange(eraftpb::AddLearnerNode, s.at, metapb::Learner, out->mutable_change_peer());
          },
          [&](const PromoteLearner& s) {
            FillChange(eraftpb::AddNode, s.at, metapb::Voter, out->mutable_change_peer());
          },
          [&](const RemovePeer& s) {
            const metapb::Peer* p = Find(region, s.at);
            FillChange(eraftpb::RemoveNode, s.at, p != nullptr ? p->role() : metapb::Voter,
                       out->mutable_change_peer());
          },
          [&](const EnterJoint& s) {
            for (const PeerAt& p : s.promote) {
              FillChange(eraftpb::AddNode, p, metapb::Voter,
                         out->mutable_change_peer_v2()->add_changes());
            }
            for (const PeerAt& p : s.demote) {
              FillChange(eraftpb::AddLearnerNode, p, metapb::Learner,
                         out->mutable_change_peer_v2()->add_changes());
            }
          },
          [&](const LeaveJoint&) { out->mutable_change_peer_v2(); },  // No change means leave.
          [&](const SplitRegion& s) {
            out->mutable_split_region()->set_policy(s.policy);
            for (const auto& k : s.keys) out->mutable_split_region()->add_keys(k);
          },
      },
      step);
}

uint64_t ConfVerRise(const Step& step) {
  return std::visit(
      Overloaded{
          [](const TransferLeader&) -> uint64_t { return 0; },
          [](const AddLearner&) -> uint64_t { return 1; },
          [](const PromoteLearner&) -> uint64_t { return 1; },
          [](const RemovePeer&) -> uint64_t { return 1; },
          [](const EnterJoint& s) -> uint64_t { return s.promote.size() + s.demote.size(); },
          [](const LeaveJoint& s) -> uint64_t {
            return std::max<uint64_t>(1, s.promote.size() + s.demote.size());
          },
          [](const SplitRegion&) -> uint64_t { return 0; },
      },
      step);
}

int64_t TimeoutMs(const Step& step, uint64_t region_size_mib) {
  constexpr int64_t kFast = 60'000, kSlow = 10 * 60'000;
  if (!std::holds_alternative<AddLearner>(step)) return kFast;
  // A snapshot may queue behind others and travels at a limited rate: 6 s per MiB, as slow as
  // the original waits.
  return std::max<int64_t>(
      kSlow, static_cast<int64_t>(std::min<uint64_t>(region_size_mib, 1 << 20)) * 6'000);
}

std::string Describe(const Step& step) {
  return std::visit(
      Overloaded{
          [](const TransferLeader& s) {
            return fmt::format("transfer leader from store {} to store {}", s.from.value,
                               s.to.value);
          },
          [](const AddLearner& s) {
            return fmt::format("add learner peer {} on store {}", s.at.peer.value,
                               s.at.store.value);
          },
          [](const PromoteLearner& s) {
            return fmt::format("promote learner peer {} on store {} to voter", s.at.peer.value,
                               s.at.store.value);
          },
          [](const RemovePeer& s) {
            return fmt::format("remove peer {} on store {}", s.at.peer.value, s.at.store.value);
          },
          [](const EnterJoint& s) {
            return fmt::format("enter joint state: promote learners {}, demote voters {}",
                               List(s.promote), List(s.demote));
          },
          [](const LeaveJoint& s) {
            return fmt::format("leave joint state: promoted {}, demoted {}", List(s.promote),
                               List(s.demote));
          },
          [](const SplitRegion& s) {
            return fmt::format("split region with policy {}", pdpb::CheckPolicy_Name(s.policy));
          },
      },
      step);
}

}  // namespace tikv::pd
