// Store's inbound Raft messages: whom they are for, and which of them may bring a replica to life
// or end one.
#include <algorithm>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "server/raftstore/store/initial_state.h"
#include "server/raftstore/store/store.h"

namespace tikv::server {
namespace {

using eraftpb::MessageType;

bool IsVote(const eraftpb::Message& message) {
  return message.msg_type() == MessageType::MsgRequestVote ||
         message.msg_type() == MessageType::MsgRequestPreVote;
}

// Only these say for sure that the sender has nothing of this replica yet.
bool MayStartReplica(const eraftpb::Message& message) {
  return IsVote(message) ||
         (message.msg_type() == MessageType::MsgHeartbeat && message.commit() == 0);
}

constexpr size_t kMaxEarlyVotes = 1024;

}  // namespace

void Store::OnMessage(raft_serverpb::RaftMessage message, std::shared_ptr<SnapshotFiles> files,
                      MonotonicTime now) {
  if (failed_ || message.to_peer().store_id() != context_.store.value || message.region_id() == 0 ||
      message.to_peer().id() == 0 || message.from_peer().id() == 0) {
    return;
  }
  if (message.is_tombstone()) return OnTombstone(message);
  if (message.has_extra_msg()) return;  // None of them asks anything of this store.
  Peer* peer = PeerForMessage(message, now);
  if (peer == nullptr) return;
  if (message.message().to() != peer->id().value ||
      message.message().from() != message.from_peer().id()) {
    return;
  }
  if (message.message().msg_type() == MessageType::MsgSnapshot) {
    if (files == nullptr || !AcceptSnapshot(peer, message)) return;
    received_[message.region_id()] = std::move(files);
  }
  // What is kept about senders is kept about members only: anybody else can take any name.
  const metapb::Peer* sender = FindPeerById(peer->region(), message.from_peer().id());
  if (sender != nullptr && sender->store_id() == message.from_peer().store_id()) {
    disks_.Heard(sender->store_id(), static_cast<DiskUsage>(message.disk_usage()));
    disks_.HeardLeaving(sender->store_id(), message.extra_ctx() == kLeavingMark);
    if (peer->IsLeader()) peer->last_active[sender->id()] = now;
  }
  peer->Step(message.from_peer(), std::move(*message.mutable_message()));
  if (peer->node().leader() != 0) peer->stats.leader_seen = now;
  MarkDirty(peer);
}

Peer* Store::PeerForMessage(const raft_serverpb::RaftMessage& message, MonotonicTime now) {
  Peer* peer = FindPeer(RegionId(message.region_id()));
  if (peer == nullptr) return MaybeCreatePeer(message, now);
  const uint64_t to = message.to_peer().id();
  if (to == peer->id().value) {
    // A replica that was removed while it was away keeps asking for votes: tell it.
    const auto& epoch = peer->region().region_epoch();
    if (peer->initialized() && IsVote(message.message()) &&
        message.region_epoch().conf_ver() < epoch.conf_ver() &&
        FindPeerById(peer->region(), message.from_peer().id()) == nullptr) {
      SendTombstone(message, epoch);
      return nullptr;
    }
    return peer;
  }
  if (to < peer->id().value) return nullptr;  // For a replica that has been replaced.
  // Ours was removed and another one added here, which ours never heard of.
  const bool newer = message.region_epoch().conf_ver() > peer->region().region_epoch().conf_ver() ||
                     !peer->initialized();
  if (!newer || peer->installing() || !MayStartReplica(message.message())) return nullptr;
  DestroyPeer(peer);
  return failed_ ? nullptr : MaybeCreatePeer(message, now);
}

bool Store::MayCreate(const raft_serverpb::RaftMessage& message) {
  const RegionId region(message.region_id());
  const uint64_t to = message.to_peer().id();
  const auto known = context_.log->Get(region.value, kPeerIdRecord);
  const uint64_t known_id = known.has_value() && known->size() == 8 ? GetBig64(*known) : 0;
  // It was here before this process started and lost its data with a snapshot half installed,
  // while its leader believes that it has some: whatever that one says brings it back.
  // With a log it is the child of a split that this store has yet to apply once more.
  const bool was_here = known_id == to && context_.log->LastIndex(region.value) == 0;
  if (!was_here && !MayStartReplica(message.message())) return false;
  if (const auto state = ReadRegionState(*context_.engine, region)) {
    if (state->state() == raft_serverpb::PeerState::Tombstone) {
      const metapb::Peer* dead = FindPeerOnStore(state->region(), context_.store.value);
      if (dead != nullptr && to <= dead->id()) {
        // Only a sender that was removed as well; one that is a member has merely not heard yet
        // that this replica is not.
        if (IsVote(message.message()) &&
            FindPeerById(state->region(), message.from_peer().id()) == nullptr) {
          SendTombstone(message, state->region().region_epoch());
        }
        return false;
      }
    }
  }
  if (known_id > to) return false;
  if (was_here && !MayStartReplica(message.message())) return true;  // It names no range.
  if (Overlapping(message.start_key(), message.end_key(), region) != nullptr) {
    // Most likely the child of a split that is still on its way here.
    if (IsVote(message.message()) && early_votes_.size() < kMaxEarlyVotes) {
      early_votes_.push_back(message);
    }
    return false;
  }
  return true;
}

Peer* Store::MaybeCreatePeer(const raft_serverpb::RaftMessage& message, MonotonicTime now) {
  if (!MayCreate(message)) return nullptr;
  const RegionId region(message.region_id());
  const PeerId id(message.to_peer().id());
  const auto known = context_.log->Get(region.value, kPeerIdRecord);
  std::string record;
  PutBig64(&record, id.value);
  if (known != record) {
    // Votes of an earlier replica bind that one only.
    log_batch_.RemoveGroup(region.value);
    log_batch_.Put(region.value, kPeerIdRecord, record);
    if (absl::Status s = context_.log->Append(&log_batch_, false); !s.ok()) {
      Fail(Annotate(s, "raft log"));
      return nullptr;
    }
  }
  metapb::Region name_only;
  name_only.set_id(region.value);
  // One that has been in a term may have promised its silence to that term's leader.
  const bool restarted = context_.log->GetHardState(region.value).term != 0;
  auto peer = Peer::Create(context_, id, std::move(name_only), ApplyState(), restarted);
  if (!peer.ok()) {
    Fail(peer.status());
    return nullptr;
  }
  Peer* raw = peer->get();
  raw->stats.leader_seen = now;
  raw->node().SetStamp(static_cast<uint64_t>(now.nanos));
  peers_[region.value] = *std::move(peer);
  return raw;
}

bool Store::MayTakeSnapshot(const raft_serverpb::RaftMessage& message) {
  raft_serverpb::RaftSnapshotData data;
  if (failed_ || !data.ParseFromString(message.message().snapshot().data())) return false;
  const metapb::Region& region = data.region();
  const Peer* peer = FindPeer(RegionId(region.id()));
  if (peer != nullptr && (peer->installing() || peer->id().value > message.to_peer().id())) {
    return false;
  }
  return Overlapping(region.start_key(), region.end_key(), RegionId(region.id())) == nullptr &&
         !BeingCleaned(region.start_key(), region.end_key());
}

bool Store::AcceptSnapshot(Peer* peer, const raft_serverpb::RaftMessage& message) {
  raft_serverpb::RaftSnapshotData data;
  if (!data.ParseFromString(message.message().snapshot().data())) return false;
  const metapb::Region& region = data.region();
  if (region.id() != message.region_id() || peer->installing() ||
      received_.contains(message.region_id()) ||
      FindPeerById(region, peer->id().value) == nullptr) {
    return false;
  }
  if (!region.end_key().empty() && region.start_key() >= region.end_key()) return false;
  if (Overlapping(region.start_key(), region.end_key(), RegionId(region.id())) != nullptr) {
    return false;  // The neighbour must shrink or go first; the leader will send again.
  }
  // The one it asked for is on its way to other families' files or being deleted still.
  for (const auto& [other, files] : received_) {
    Peer* pending = FindPeer(RegionId(other));
    if (pending != nullptr && !pending->initialized()) return false;  // One newcomer per round.
  }
  return !BeingCleaned(region.start_key(), region.end_key());
}

void Store::OnTombstone(const raft_serverpb::RaftMessage& message) {
  Peer* peer = FindPeer(RegionId(message.region_id()));
  if (peer == nullptr || peer->id().value != message.to_peer().id() || peer->installing()) return;
  const bool newer = message.region_epoch().conf_ver() > peer->region().region_epoch().conf_ver();
  if (newer || !peer->initialized()) DestroyPeer(peer);
}

void Store::SendTombstone(const raft_serverpb::RaftMessage& cause,
                          const metapb::RegionEpoch& epoch) {
  raft_serverpb::RaftMessage out;
  out.set_region_id(cause.region_id());
  *out.mutable_from_peer() = cause.to_peer();
  *out.mutable_to_peer() = cause.from_peer();
  *out.mutable_region_epoch() = epoch;
  out.set_is_tombstone(true);
  output_->Send(std::move(out));
}

void Store::OnUnreachable(StoreId store) {
  for (auto& [id, peer] : peers_) {
    if (!peer->IsLeader()) continue;
    if (const metapb::Peer* other = FindPeerOnStore(peer->region(), store.value)) {
      peer->node().ReportUnreachable(other->id());
    }
  }
}

void Store::OnSnapshotSent(RegionId region, PeerId to, bool success) {
  Peer* peer = FindPeer(region);
  if (peer == nullptr) return;
  peer->node().ReportSnapshot(to.value, success);
  MarkDirty(peer);
}

}  // namespace tikv::server
