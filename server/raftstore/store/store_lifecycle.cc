// How replicas come and go: splits, destruction, and who owns which range.
#include <algorithm>

#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "server/codec/keys.h"
#include "server/raftstore/store/initial_state.h"
#include "server/raftstore/store/store.h"

namespace tikv::server {

void Store::AddRange(const metapb::Region& region) {
  const auto [it, fresh] = ranges_.emplace(DataEndKey(region.end_key()), region.id());
  CHECK(fresh || it->second == region.id())
      << "regions " << it->second << " and " << region.id() << " end at one key";
}

void Store::RemoveRange(const metapb::Region& region) {
  const auto it = ranges_.find(DataEndKey(region.end_key()));
  if (it != ranges_.end() && it->second == region.id()) ranges_.erase(it);
}

Peer* Store::Overlapping(std::string_view start, std::string_view end, RegionId except) {
  const std::string data_end = DataEndKey(end);
  // The first region that ends behind `start`.
  for (auto it = ranges_.upper_bound(DataKey(start)); it != ranges_.end(); ++it) {
    Peer* peer = peers_.at(it->second).get();
    // While a snapshot is installed the range is already the new one.
    std::string other_start = peer->region().start_key();
    if (peer->installing()) {
      raft_serverpb::RaftSnapshotData data;
      CHECK(data.ParseFromString(peer->install_ready().snapshot->data()));
      other_start = data.region().start_key();
    }
    if (DataKey(other_start) >= data_end) return nullptr;
    if (peer->region_id() != except) return peer;
  }
  return nullptr;
}

bool Store::BeingCleaned(std::string_view start, std::string_view end) const {
  return std::any_of(cleaning_.begin(), cleaning_.end(), [&](const auto& range) {
    return (end.empty() || range.first < end) && (range.second.empty() || start < range.second);
  });
}

void Store::ResetLog(RegionId region, PeerId peer, raftlog::HardState hard,
                     const ApplyState& start) {
  log_batch_.RemoveGroup(region.value);
  log_batch_.CompactTo(region.value, start.truncated_index, start.truncated_term);
  hard.term = std::max(hard.term, start.truncated_term);
  hard.commit = std::max(hard.commit, start.truncated_index);
  log_batch_.SetHardState(region.value, hard);
  std::string id;
  PutBig64(&id, peer.value);
  log_batch_.Put(region.value, kPeerIdRecord, id);
}

// Adds the records of the new regions to the batch that changes their parent, so that either all
// exist or none.  A replica that this store already had, and that is newer than the split, stays.
void Store::PrepareChildren(const RegionSplit& split, engine::WriteBatch* batch,
                            std::vector<metapb::Region>* created) {
  for (size_t i = 0; i + 1 < split.regions.size(); ++i) {
    const metapb::Region& child = split.regions[i];
    const metapb::Peer* self = FindPeerOnStore(child, context_.store.value);
    if (self == nullptr || !MayBecome(child, *self)) {
      output_->DeleteData(child.start_key(), child.end_key());
      cleaning_.emplace_back(child.start_key(), child.end_key());
      continue;
    }
    Applier::SaveRegion(child, raft_serverpb::PeerState::Normal, batch);
    Applier::SaveApplyState(child.id(), kInitialApplyState, batch);
    // Replaying the split after a crash finds the group's log already on its way.
    if (context_.log->LastIndex(child.id()) < kInitialIndex) {
      ResetLog(RegionId(child.id()), PeerId(self->id()), context_.log->GetHardState(child.id()),
               kInitialApplyState);
    }
    created->push_back(child);
  }
}

// False when the child's place on this store is taken by a later replica, or was destroyed.
bool Store::MayBecome(const metapb::Region& child, const metapb::Peer& self) {
  if (const Peer* existing = FindPeer(RegionId(child.id()))) {
    return !existing->initialized() && existing->id().value == self.id() && !existing->installing();
  }
  if (const auto state = ReadRegionState(*context_.engine, RegionId(child.id()))) {
    if (state->state() == raft_serverpb::PeerState::Tombstone) {
      const metapb::Peer* dead = FindPeerOnStore(state->region(), context_.store.value);
      return dead != nullptr && dead->id() < self.id();
    }
  }
  const auto known = context_.log->Get(child.id(), kPeerIdRecord);
  return !known.has_value() || known->size() != 8 || GetBig64(*known) <= self.id();
}

void Store::FinishSplit(Peer* parent, const RegionSplit& split,
                        const std::vector<metapb::Region>& created, MonotonicTime now) {
  if (!log_batch_.empty()) {
    if (absl::Status s = context_.log->Append(&log_batch_, false); !s.ok()) {
      return Fail(Annotate(s, "raft log"));
    }
  }
  const bool leads = parent->IsLeader();
  const uint64_t share = parent->stats.approximate_bytes / split.regions.size();
  const uint64_t keys = parent->stats.approximate_keys / split.regions.size();
  parent->stats.approximate_bytes = share;
  parent->stats.approximate_keys = keys;
  parent->stats.heartbeat_due = leads;
  for (const metapb::Region& child : created) {
    // An uninitialised replica that a message made gives way to the real one.
    if (auto old = peers_.find(child.id()); old != peers_.end()) {
      std::erase(dirty_, old->second.get());
      graveyard_.push_back(std::move(old->second));
      peers_.erase(old);
    }
    const PeerId self(FindPeerOnStore(child, context_.store.value)->id());
    // Whoever was here before, in memory or before a crash, may have acknowledged a heartbeat
    // on which the child's leader holds a lease.
    const bool restarted =
        context_.log->GetHardState(child.id()).term > kInitialApplyState.truncated_term;
    auto peer = Peer::Create(context_, self, child, kInitialApplyState, restarted);
    if (!peer.ok()) return Fail(peer.status());
    Peer* raw = peer->get();
    raw->stats.leader_seen = now;
    raw->stats.approximate_bytes = share;
    raw->stats.approximate_keys = keys;
    raw->node().SetStamp(static_cast<uint64_t>(now.nanos));
    peers_[child.id()] = *std::move(peer);
    AddRange(child);
    // The others wait for their time-out: the parent's leader is the natural first leader.
    if (leads) raw->node().Campaign();
    MarkDirty(raw);
  }
  if (leads) output_->ReportSplit(split.regions);
  std::vector<raft_serverpb::RaftMessage> votes = std::move(early_votes_);
  early_votes_.clear();
  for (raft_serverpb::RaftMessage& vote : votes) {
    if (peers_.contains(vote.region_id())) OnMessage(std::move(vote), nullptr, now);
  }
}

// The order lets a crash at any point be repeated: a tombstone (durable) first, so that nobody
// takes the data for alive; the log next; the data last.
void Store::DestroyPeer(Peer* peer) {
  const RegionId id = peer->region_id();
  const metapb::Region region = peer->region();
  peer->Retire();
  metapb::Region grave = region;
  if (FindPeerOnStore(grave, context_.store.value) == nullptr) {
    *grave.add_peers() = peer->Self();  // Remembers which replica must not come back.
  }
  engine::WriteBatch batch;
  Applier::SaveRegion(grave, raft_serverpb::PeerState::Tombstone, &batch);
  batch.Delete(engine::Cf::kRaft, ApplyStateKey(id));
  if (absl::Status s = context_.engine->Write(&batch, {.sync = true}); !s.ok()) {
    return Fail(Annotate(s, "engine"));
  }
  log_batch_.RemoveGroup(id.value);
  if (absl::Status s = context_.log->Append(&log_batch_, true); !s.ok()) {
    return Fail(Annotate(s, "raft log"));
  }
  truncate_wanted_.erase(id.value);
  truncate_syncing_.erase(id.value);
  if (peer->initialized()) {
    RemoveRange(region);
    cleaning_.emplace_back(region.start_key(), region.end_key());
    output_->DeleteData(region.start_key(), region.end_key());
  }
  std::erase(dirty_, peer);
  const auto it = peers_.find(id.value);
  graveyard_.push_back(std::move(it->second));
  peers_.erase(it);
}

void Store::OnCleaned(const std::string& start, const std::string& end) {
  const auto it = std::find(cleaning_.begin(), cleaning_.end(), std::make_pair(start, end));
  if (it != cleaning_.end()) cleaning_.erase(it);
}

}  // namespace tikv::server
