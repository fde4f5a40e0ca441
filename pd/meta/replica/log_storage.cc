#include "pd/meta/replica/log_storage.h"

#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "pd/meta/mvcc/state_machine.h"

namespace tikv::pd::meta {

void BeginLogAt(const raftlog::RaftLog& log, uint64_t index, uint64_t term,
                raftlog::LogBatch* batch) {
  // An entry that is written takes all behind it away, which compaction alone would keep.
  if (index < log.LastIndex(kRaftGroup)) batch->AppendEntry(kRaftGroup, index, term, {});
  batch->CompactTo(kRaftGroup, index, term);
}

absl::StatusOr<LogStorage::InitialState> LogStorage::Initial() {
  const raftlog::HardState hard = log_->GetHardState(kRaftGroup);
  InitialState state;
  state.hard_state.set_term(hard.term);
  state.hard_state.set_vote(hard.vote);
  state.hard_state.set_commit(hard.commit);
  state.conf_state = machine_->conf_state();
  return state;
}

absl::Status LogStorage::Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                                 std::vector<eraftpb::Entry>* out) {
  if (low < FirstIndex()) return OutOfRange("entry {} is compacted", low);
  if (high > LastIndex() + 1) return NotFound("entry {} is not written", high - 1);
  bool parsed = true;
  RETURN_IF_ERROR(
      log_->Read(kRaftGroup, low, high, max_bytes, [&](uint64_t, uint64_t, std::string_view data) {
        parsed = parsed &&
                 out->emplace_back().ParseFromArray(data.data(), static_cast<int>(data.size()));
      }));
  return parsed ? absl::OkStatus() : DataLoss("an entry of the metadata log does not parse");
}

absl::StatusOr<uint64_t> LogStorage::Term(uint64_t index) {
  if (index < log_->TruncatedIndex(kRaftGroup)) return OutOfRange("entry {} is compacted", index);
  if (index > LastIndex()) return NotFound("entry {} is not written", index);
  return log_->Term(kRaftGroup, index);
}

absl::StatusOr<eraftpb::Snapshot> LogStorage::Snapshot(uint64_t min_index, uint64_t to) {
  const uint64_t applied = machine_->applied_index();
  if (applied < min_index) return Unavailable("entry {} is not applied yet", min_index);
  ASSIGN_OR_RETURN(uint64_t term, Term(applied));
  eraftpb::Snapshot snapshot;
  snapshot.mutable_metadata()->set_index(applied);
  snapshot.mutable_metadata()->set_term(term);
  *snapshot.mutable_metadata()->mutable_conf_state() = machine_->conf_state();
  states_[to] = engine_->GetSnapshot();
  return snapshot;
}

std::shared_ptr<const engine::Snapshot> LogStorage::TakeState(uint64_t to) {
  auto node = states_.extract(to);
  return node.empty() ? nullptr : std::move(node.mapped());
}

}  // namespace tikv::pd::meta
