#include "server/raftstore/apply/applier.h"

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/write_batch.h"
#include "proto/raft_serverpb.pb.h"
#include "server/codec/keys.h"
#include "server/port/write_command.h"
#include "server/raftstore/apply/entry_data.h"

namespace tikv::server {
namespace {

ApplyOutcome EpochNotMatch() { return {.verdict = ApplyVerdict::kEpochNotMatch}; }

ApplyOutcome Refused(const absl::Status& why) {
  return {.verdict = ApplyVerdict::kRefused, .reason = std::string(Message(why))};
}

}  // namespace

Applier::Applier(metapb::Region region, ApplyState state)
    : region_(std::move(region)), state_(state) {}

void Applier::Reset(metapb::Region region, ApplyState state, uint64_t term) {
  region_ = std::move(region);
  state_ = state;
  applied_term_ = term;
}

absl::StatusOr<ApplyOutcome> Applier::Apply(const eraftpb::Entry& entry,
                                            engine::WriteBatch* batch) {
  CHECK_EQ(entry.index(), state_.applied + 1) << "region " << region_.id();
  absl::StatusOr<ApplyOutcome> outcome = ApplyOutcome();
  if (entry.entry_type() == eraftpb::EntryType::EntryNormal) {
    ASSIGN_OR_RETURN(const EntryKind kind, KindOfEntry(entry.data()));
    if (kind == EntryKind::kWrite) outcome = ApplyWrite(entry.data(), batch);
    if (kind == EntryKind::kAdmin) outcome = ApplyAdmin(entry.data(), batch);
  } else {
    eraftpb::ConfChangeV2 change;
    if (!change.ParseFromString(entry.data())) {
      return DataLoss("membership change at index {} does not parse", entry.index());
    }
    outcome = ApplyAdmin(change.context(), batch);
  }
  if (!outcome.ok()) return outcome;
  state_.applied = entry.index();
  applied_term_ = entry.term();
  return outcome;
}

absl::StatusOr<ApplyOutcome> Applier::ApplyWrite(std::string_view data, engine::WriteBatch* batch) {
  ASSIGN_OR_RETURN(const WriteEntry entry, DecodeWriteEntry(data));
  if (entry.version != region_.region_epoch().version()) return EpochNotMatch();
  const uint32_t before = batch->count();
  RETURN_IF_ERROR(WriteCommand::AppendTo(entry.commands, batch));
  written_keys_ += batch->count() - before;
  written_bytes_ += entry.commands.size();
  return ApplyOutcome();
}

absl::StatusOr<ApplyOutcome> Applier::ApplyAdmin(std::string_view data, engine::WriteBatch* batch) {
  raft_cmdpb::AdminRequest request;
  ASSIGN_OR_RETURN(const AdminEntry entry, DecodeAdminEntry(data, &request));
  const auto& epoch = region_.region_epoch();
  switch (request.cmd_type()) {
    case raft_cmdpb::AdminCmdType::ChangePeer:
    case raft_cmdpb::AdminCmdType::ChangePeerV2:
      if (entry.conf_ver != epoch.conf_ver()) return EpochNotMatch();
      return ApplyPeers(request, batch);
    case raft_cmdpb::AdminCmdType::BatchSplit:
      if (entry.version != epoch.version() || entry.conf_ver != epoch.conf_ver()) {
        return EpochNotMatch();
      }
      return ApplySplit(request.splits(), batch);
    case raft_cmdpb::AdminCmdType::CompactLog:
      return ApplyCompactLog(request.compact_log());
    default:
      return DataLoss("admin command {} is not known here", static_cast<int>(request.cmd_type()));
  }
}

ApplyOutcome Applier::ApplyPeers(const raft_cmdpb::AdminRequest& request,
                                 engine::WriteBatch* batch) {
  PeerChanges changes = ChangesOf(request);
  absl::StatusOr<metapb::Region> next = ChangePeers(region_, changes);
  if (!next.ok()) return Refused(next.status());
  region_ = *std::move(next);
  SaveRegion(region_, raft_serverpb::PeerState::Normal, batch);
  return {.effect = PeersChanged{std::move(changes), region_}};
}

ApplyOutcome Applier::ApplySplit(const raft_cmdpb::BatchSplitRequest& request,
                                 engine::WriteBatch* batch) {
  absl::StatusOr<std::vector<metapb::Region>> regions = SplitRegions(region_, request);
  if (!regions.ok()) return Refused(regions.status());
  region_ = regions->back();
  SaveRegion(region_, raft_serverpb::PeerState::Normal, batch);
  return {.effect = RegionSplit{*std::move(regions)}};
}

ApplyOutcome Applier::ApplyCompactLog(const raft_cmdpb::CompactLogRequest& request) {
  if (request.compact_index() <= state_.truncated_index ||
      request.compact_index() > state_.applied) {
    return {};
  }
  state_.truncated_index = request.compact_index();
  state_.truncated_term = request.compact_term();
  return {.effect = LogCompacted{}};
}

void Applier::SaveApplyState(uint64_t region_id, const ApplyState& state,
                             engine::WriteBatch* batch) {
  raft_serverpb::RaftApplyState record;
  record.set_applied_index(state.applied);
  record.set_commit_index(state.applied);
  record.mutable_truncated_state()->set_index(state.truncated_index);
  record.mutable_truncated_state()->set_term(state.truncated_term);
  batch->Put(engine::Cf::kRaft, ApplyStateKey(RegionId(region_id)), record.SerializeAsString());
}

void Applier::SaveState(engine::WriteBatch* batch) const {
  SaveApplyState(region_.id(), state_, batch);
}

void Applier::SaveRegion(const metapb::Region& region, int peer_state, engine::WriteBatch* batch) {
  raft_serverpb::RegionLocalState record;
  record.set_state(static_cast<raft_serverpb::PeerState>(peer_state));
  *record.mutable_region() = region;
  batch->Put(engine::Cf::kRaft, RegionStateKey(RegionId(region.id())), record.SerializeAsString());
}

}  // namespace tikv::server
