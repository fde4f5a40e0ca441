// Store's start: what the engine and the Raft log say, and what a crash left half done.
#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "server/codec/keys.h"
#include "server/raftstore/store/initial_state.h"
#include "server/raftstore/store/store.h"

namespace tikv::server {

absl::Status Store::Recover(MonotonicTime now) {
  std::vector<raft_serverpb::RegionLocalState> states;
  auto it = context_.engine->NewIterator(
      engine::Cf::kRaft,
      {.lower = std::string(kRegionStateFirst), .upper = std::string(kRegionStateLast)});
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    if (!ParseRegionStateKey(it->key()).has_value()) continue;
    raft_serverpb::RegionLocalState state;
    const auto value = it->value();
    if (!state.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
      return DataLoss("region state {} is damaged", Hex(it->key()));
    }
    states.push_back(std::move(state));
  }
  RETURN_IF_ERROR(it->status());
  for (const raft_serverpb::RegionLocalState& state : states) {
    RETURN_IF_ERROR(LoadRegion(state, now));
  }
  if (!log_batch_.empty()) RETURN_IF_ERROR(context_.log->Append(&log_batch_, true));
  return CleanGaps();
}

absl::Status Store::LoadRegion(const raft_serverpb::RegionLocalState& state, MonotonicTime now) {
  const metapb::Region& region = state.region();
  if (state.state() == raft_serverpb::PeerState::Tombstone) {
    // The crash may have come before the log was told.
    if (!context_.log->Contains(region.id())) return absl::OkStatus();
    const auto known = context_.log->Get(region.id(), kPeerIdRecord);
    const metapb::Peer* dead = FindPeerOnStore(region, context_.store.value);
    const bool newer =
        known.has_value() && known->size() == 8 && dead != nullptr && GetBig64(*known) > dead->id();
    if (!newer) log_batch_.RemoveGroup(region.id());
    return absl::OkStatus();
  }
  if (state.state() == raft_serverpb::PeerState::Applying) return ResetInterruptedInstall(region);
  const metapb::Peer* self = FindPeerOnStore(region, context_.store.value);
  const auto apply = ReadApplyState(*context_.engine, RegionId(region.id()));
  if (self == nullptr || !apply.has_value()) {
    return DataLoss("region {} has no apply state or no peer on this store", region.id());
  }
  const auto truncated_term = context_.log->Term(region.id(), apply->truncated_index);
  const bool log_is_older = context_.log->LastIndex(region.id()) < apply->applied ||
                            (truncated_term.ok() && *truncated_term != apply->truncated_term);
  if (log_is_older) {
    // Only what comes with a snapshot, or is the very beginning, is in the engine before the log.
    if (apply->applied != apply->truncated_index) {
      return DataLoss("the raft log of region {} ends at {}, before what is applied, {}",
                      region.id(), context_.log->LastIndex(region.id()), apply->applied);
    }
    ResetLog(RegionId(region.id()), PeerId(self->id()), context_.log->GetHardState(region.id()),
             *apply);
    RETURN_IF_ERROR(context_.log->Append(&log_batch_, true));
  }
  ASSIGN_OR_RETURN(auto peer, Peer::Create(context_, PeerId(self->id()), region, *apply,
                                           /*restarted=*/true));
  peer->stats.leader_seen = now;
  peer->node().SetStamp(static_cast<uint64_t>(now.nanos));
  // Nobody else votes: no need to wait.
  if (region.peers_size() == 1) peer->node().Campaign();
  AddRange(region);
  MarkDirty(peer.get());
  peers_[region.id()] = std::move(peer);
  return absl::OkStatus();
}

// The old data is gone or going, the new data incomplete.  Everything up to the snapshot is held
// by a quorum without this replica, so it may forget it.  Its leader however counts on what was
// acknowledged and would never send it again: the next term makes that leader stand for election
// once more, after which nothing is taken for granted.
absl::Status Store::ResetInterruptedInstall(const metapb::Region& region) {
  const RegionId id(region.id());
  const metapb::Peer* self = FindPeerOnStore(region, context_.store.value);
  const raftlog::HardState hard = context_.log->GetHardState(id.value);
  log_batch_.RemoveGroup(id.value);
  log_batch_.SetHardState(id.value, {hard.term + 1, 0, 0});
  if (self != nullptr) {
    std::string record;
    PutBig64(&record, self->id());
    log_batch_.Put(id.value, kPeerIdRecord, record);
  }
  RETURN_IF_ERROR(context_.log->Append(&log_batch_, true));
  engine::WriteBatch batch;
  batch.Delete(engine::Cf::kRaft, RegionStateKey(id));
  batch.Delete(engine::Cf::kRaft, ApplyStateKey(id));
  return context_.engine->Write(&batch, {.sync = true});
}

// Data outside of all regions: of replicas that were destroyed or reset just before a crash.
absl::Status Store::CleanGaps() {
  std::vector<std::pair<std::string, std::string>> gaps;  // Data keys.
  std::string from = DataKey("");
  for (const auto& [data_end, id] : ranges_) {
    const std::string start = DataKey(peers_.at(id)->region().start_key());
    CHECK_LE(from, start) << "region " << id << " overlaps its neighbour";
    if (from < start) gaps.emplace_back(from, start);
    from = data_end;
  }
  if (from < kDataEnd) gaps.emplace_back(from, std::string(kDataEnd));
  for (const auto& [start, end] : gaps) {
    for (const engine::Cf cf : engine::kDataCfs) {
      auto it = context_.engine->NewIterator(cf, {.lower = start, .upper = end});
      it->SeekToFirst();
      RETURN_IF_ERROR(it->status());
      if (!it->Valid()) continue;
      it.reset();
      RETURN_IF_ERROR(context_.engine->DeleteFilesInRange(cf, start, end));
    }
  }
  return absl::OkStatus();
}

}  // namespace tikv::server
