#include "server/raftstore/apply/region_change.h"

#include <algorithm>
#include <set>

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::server {
namespace {

using metapb::PeerRole;
using raft_cmdpb::ChangePeerRequest;

metapb::Peer* MutablePeerOnStore(metapb::Region* region, uint64_t store_id) {
  for (metapb::Peer& peer : *region->mutable_peers()) {
    if (peer.store_id() == store_id) return &peer;
  }
  return nullptr;
}

bool IsVoter(const metapb::Peer& peer) {
  return peer.role() == PeerRole::Voter || peer.role() == PeerRole::IncomingVoter;
}

void RemovePeer(metapb::Region* region, uint64_t peer_id) {
  auto* peers = region->mutable_peers();
  peers->erase(std::remove_if(peers->begin(), peers->end(),
                              [&](const metapb::Peer& p) { return p.id() == peer_id; }),
               peers->end());
}

absl::Status SetRole(metapb::Region* region, const metapb::Peer& wanted, PeerRole role) {
  metapb::Peer* peer = MutablePeerOnStore(region, wanted.store_id());
  if (peer == nullptr) {
    peer = region->add_peers();
    *peer = wanted;
  } else if (peer->id() != wanted.id()) {
    return InvalidArgument("store {} already has peer {} of region {}", wanted.store_id(),
                           peer->id(), region->id());
  }
  peer->set_role(role);
  return absl::OkStatus();
}

absl::Status AddVoter(metapb::Region* region, const metapb::Peer& wanted, bool joint) {
  const metapb::Peer* peer = FindPeerOnStore(*region, wanted.store_id());
  if (peer != nullptr && IsVoter(*peer)) {
    return InvalidArgument("peer {} is a voter already", peer->id());
  }
  return SetRole(region, wanted, joint ? PeerRole::IncomingVoter : PeerRole::Voter);
}

absl::Status AddLearner(metapb::Region* region, const metapb::Peer& wanted, bool joint) {
  const metapb::Peer* peer = FindPeerOnStore(*region, wanted.store_id());
  if (peer == nullptr) return SetRole(region, wanted, PeerRole::Learner);
  if (!IsVoter(*peer)) return InvalidArgument("peer {} is a learner already", peer->id());
  return SetRole(region, wanted, joint ? PeerRole::DemotingVoter : PeerRole::Learner);
}

absl::Status Remove(metapb::Region* region, const metapb::Peer& wanted, bool joint) {
  const metapb::Peer* peer = FindPeerOnStore(*region, wanted.store_id());
  if (peer == nullptr || peer->id() != wanted.id()) {
    return InvalidArgument("region {} has no peer {} on store {}", region->id(), wanted.id(),
                           wanted.store_id());
  }
  if (joint && IsVoter(*peer)) {
    return InvalidArgument("voter {} must be demoted before it is removed", peer->id());
  }
  RemovePeer(region, wanted.id());
  return absl::OkStatus();
}

absl::Status ApplyOne(metapb::Region* region, const ChangePeerRequest& change, bool joint) {
  switch (change.change_type()) {
    case eraftpb::ConfChangeType::AddNode:
      return AddVoter(region, change.peer(), joint);
    case eraftpb::ConfChangeType::AddLearnerNode:
      return AddLearner(region, change.peer(), joint);
    case eraftpb::ConfChangeType::RemoveNode:
      return Remove(region, change.peer(), joint);
    default:
      return InvalidArgument("unknown change type {}", static_cast<int>(change.change_type()));
  }
}

absl::StatusOr<metapb::Region> LeaveJoint(metapb::Region region) {
  uint64_t changed = 0;
  for (metapb::Peer& peer : *region.mutable_peers()) {
    if (peer.role() == PeerRole::IncomingVoter) {
      peer.set_role(PeerRole::Voter);
    } else if (peer.role() == PeerRole::DemotingVoter) {
      peer.set_role(PeerRole::Learner);
    } else {
      continue;
    }
    ++changed;
  }
  if (changed == 0) return InvalidArgument("region {} is not in joint state", region.id());
  auto* epoch = region.mutable_region_epoch();
  epoch->set_conf_ver(epoch->conf_ver() + changed);
  return region;
}

}  // namespace

const metapb::Peer* FindPeerOnStore(const metapb::Region& region, uint64_t store_id) {
  for (const metapb::Peer& peer : region.peers()) {
    if (peer.store_id() == store_id) return &peer;
  }
  return nullptr;
}

const metapb::Peer* FindPeerById(const metapb::Region& region, uint64_t peer_id) {
  for (const metapb::Peer& peer : region.peers()) {
    if (peer.id() == peer_id) return &peer;
  }
  return nullptr;
}

bool InJointState(const metapb::Region& region) {
  return std::any_of(region.peers().begin(), region.peers().end(), [](const metapb::Peer& p) {
    return p.role() == PeerRole::IncomingVoter || p.role() == PeerRole::DemotingVoter;
  });
}

absl::StatusOr<metapb::Region> ChangePeers(const metapb::Region& region,
                                           const PeerChanges& changes) {
  if (changes.empty()) return LeaveJoint(region);
  if (InJointState(region)) return InvalidArgument("region {} is in joint state", region.id());
  const bool joint = changes.size() > 1;
  metapb::Region next = region;
  std::set<uint64_t> stores;
  for (const ChangePeerRequest& change : changes) {
    if (change.peer().id() == 0 || !stores.insert(change.peer().store_id()).second) {
      return InvalidArgument("two changes of store {}, or a peer without id",
                             change.peer().store_id());
    }
    RETURN_IF_ERROR(ApplyOne(&next, change, joint));
  }
  // Raft would enter a joint state that the region does not show, and that nobody would leave.
  if (joint && !InJointState(next)) {
    return InvalidArgument("several changes of region {}, none of a voter", region.id());
  }
  if (std::none_of(next.peers().begin(), next.peers().end(), IsVoter)) {
    return InvalidArgument("region {} would be left without voters", region.id());
  }
  auto* epoch = next.mutable_region_epoch();
  epoch->set_conf_ver(epoch->conf_ver() + changes.size());
  return next;
}

eraftpb::ConfChangeV2 ToConfChange(const PeerChanges& changes, std::string context) {
  eraftpb::ConfChangeV2 out;
  if (changes.size() > 1) out.set_transition(eraftpb::ConfChangeTransition::Explicit);
  for (const ChangePeerRequest& change : changes) {
    auto* single = out.add_changes();
    single->set_change_type(change.change_type());
    single->set_node_id(change.peer().id());
  }
  out.set_context(std::move(context));
  return out;
}

eraftpb::ConfState ConfStateOf(const metapb::Region& region) {
  eraftpb::ConfState out;
  const bool joint = InJointState(region);
  for (const metapb::Peer& peer : region.peers()) {
    switch (peer.role()) {
      case PeerRole::Voter:
        out.add_voters(peer.id());
        if (joint) out.add_voters_outgoing(peer.id());
        break;
      case PeerRole::IncomingVoter:
        out.add_voters(peer.id());
        break;
      case PeerRole::DemotingVoter:
        out.add_voters_outgoing(peer.id());
        out.add_learners_next(peer.id());
        break;
      default:
        out.add_learners(peer.id());
    }
  }
  return out;
}

PeerChanges ChangesOf(const raft_cmdpb::AdminRequest& request) {
  if (request.cmd_type() == raft_cmdpb::AdminCmdType::ChangePeer) return {request.change_peer()};
  const auto& changes = request.change_peer_v2().changes();
  return {changes.begin(), changes.end()};
}

absl::StatusOr<std::vector<metapb::Region>> SplitRegions(
    const metapb::Region& region, const raft_cmdpb::BatchSplitRequest& request) {
  const auto count = static_cast<uint64_t>(request.requests_size());
  if (count == 0) return InvalidArgument("split without keys");
  std::vector<metapb::Region> out;
  std::string start = region.start_key();
  const uint64_t version = region.region_epoch().version() + count;
  for (const raft_cmdpb::SplitRequest& part : request.requests()) {
    const bool inside = part.split_key() > start &&
                        (region.end_key().empty() || part.split_key() < region.end_key());
    if (!inside) return InvalidArgument("split key {} does not fit", Hex(part.split_key()));
    if (part.new_region_id() == 0 || part.new_peer_ids_size() != region.peers_size()) {
      return InvalidArgument("split of region {} lacks ids", region.id());
    }
    metapb::Region child = region;
    child.set_id(part.new_region_id());
    child.set_start_key(start);
    child.set_end_key(part.split_key());
    child.mutable_region_epoch()->set_version(version);
    for (int i = 0; i < child.peers_size(); ++i) {
      child.mutable_peers(i)->set_id(part.new_peer_ids(i));
    }
    start = part.split_key();
    out.push_back(std::move(child));
  }
  metapb::Region rest = region;
  rest.set_start_key(start);
  rest.mutable_region_epoch()->set_version(version);
  out.push_back(std::move(rest));
  return out;
}

}  // namespace tikv::server
