#include "lib/raft/log.h"

#include <algorithm>
#include <iterator>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/raft/text.h"

namespace tikv::raft {

uint64_t EntryBytes(const eraftpb::Entry& entry) {
  constexpr uint64_t kHeader = 16;  // type, term, index and lengths, about
  return entry.data().size() + entry.context().size() + kHeader;
}

uint64_t PayloadBytes(const eraftpb::Entry& entry) {
  return entry.data().size() + entry.context().size();
}

absl::StatusOr<Log> Log::Open(const Config& config, LogStorage* storage) {
  const uint64_t first = storage->FirstIndex();
  const uint64_t last = storage->LastIndex();
  if (first == 0 || last + 1 < first) {
    return DataLoss("raft log claims entries [{}, {}]", first, last);
  }
  ASSIGN_OR_RETURN(const uint64_t term, storage->Term(last));
  return Log(config, storage, first - 1, Position{last, term});
}

Log::Log(const Config& config, LogStorage* storage, uint64_t committed, Position last)
    : storage_(storage),
      events_(config.log),
      unstable_(last.index + 1, config.log),
      last_(last),
      committed_(committed),
      applying_(committed),
      applied_(committed),
      max_applying_bytes_(std::max<uint64_t>(1, config.max_committed_size_per_ready)),
      hand_out_unstable_(!config.async_storage) {}

uint64_t Log::first_index() const {
  if (const eraftpb::Snapshot* s = unstable_.snapshot()) return s->metadata().index() + 1;
  return storage_->FirstIndex();
}

absl::StatusOr<uint64_t> Log::Term(uint64_t index) const {
  if (auto term = unstable_.Term(index)) return *term;
  if (index == last_.index) return last_.term;
  if (index > last_.index) return NotFound("entry {} is after the last, {}", index, last_.index);
  const uint64_t first = first_index();
  if (index + 1 < first) return OutOfRange("entry {} is before the first, {}", index, first);
  return storage_->Term(index);
}

uint64_t Log::TermOrZero(uint64_t index) const { return Term(index).value_or(0); }

bool Log::Matches(Position at) const {
  const absl::StatusOr<uint64_t> term = Term(at.index);
  return term.ok() && *term == at.term;
}

bool Log::IsUpToDate(Position theirs) const {
  return theirs.term > last_.term || (theirs.term == last_.term && theirs.index >= last_.index);
}

Log::Position Log::FindAtMost(uint64_t index, uint64_t term) const {
  for (; index > 0; --index) {
    const absl::StatusOr<uint64_t> ours = Term(index);
    if (!ours.ok()) return {index, 0};
    if (*ours <= term) return {index, *ours};
  }
  return {0, 0};
}

absl::Status Log::Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                          std::vector<eraftpb::Entry>* out) const {
  high = std::min(high, last_.index + 1);
  if (low >= high) return absl::OkStatus();
  if (low < first_index()) return OutOfRange("entry {} is compacted", low);
  const size_t before = out->size();
  const uint64_t offset = unstable_.offset();
  if (low < offset) {
    const uint64_t cut = std::min(high, offset);
    RETURN_IF_ERROR(storage_->Entries(low, cut, max_bytes, out));
    if (out->size() - before < cut - low) return absl::OkStatus();  // full
    low = cut;
  }
  uint64_t bytes = 0;
  for (size_t i = before; i < out->size(); ++i) bytes += EntryBytes((*out)[i]);
  for (; low < high; ++low) {
    const eraftpb::Entry& entry = unstable_.entries()[low - offset];
    bytes += EntryBytes(entry);
    if (bytes > max_bytes && out->size() > before) break;
    out->push_back(entry);
  }
  return absl::OkStatus();
}

void Log::Append(std::vector<eraftpb::Entry> entries) {
  if (entries.empty()) return;
  CHECK_GT(entries.front().index(), committed_) << "append would replace a committed entry";
  last_ = {entries.back().index(), entries.back().term()};
  unstable_.TruncateAndAppend(std::move(entries));
}

uint64_t Log::FindConflict(
    const google::protobuf::RepeatedPtrField<eraftpb::Entry>& entries) const {
  for (const eraftpb::Entry& entry : entries) {
    if (Matches({entry.index(), entry.term()})) continue;
    if (entry.index() <= last_.index) {
      RAFT_TELL(events_, kInfo,
                "found conflict at index {} [existing term: {}, conflicting term: {}]",
                entry.index(), TermOrZero(entry.index()), entry.term());
    }
    return entry.index();
  }
  return 0;
}

void Log::CommitTo(uint64_t index) {
  if (index <= committed_) return;
  CHECK_LE(index, last_.index) << "commit beyond the log";
  committed_ = index;
}

void Log::Restore(eraftpb::Snapshot snapshot) {
  const eraftpb::SnapshotMetadata& meta = snapshot.metadata();
  RAFT_TELL(events_, kInfo,
            "log [committed={}, applied={}, applying={}, unstable.offset={}, "
            "unstable.offsetInProgress={}, len(unstable.Entries)={}] starts to restore snapshot "
            "[index: {}, term: {}]",
            committed_, applied_, applying_, unstable_.offset(), unstable_.offset_in_progress(),
            unstable_.entries().size(), meta.index(), meta.term());
  committed_ = meta.index();
  last_ = {meta.index(), meta.term()};
  unstable_.Restore(std::move(snapshot));
}

void Log::StartAt(uint64_t committed, uint64_t applied) {
  CHECK(committed >= committed_ && applied <= committed && committed <= last_.index);
  committed_ = committed;
  applied_ = std::max(applied_, applied);
  applying_ = applied_;
}

uint64_t Log::MaxAppliable() const {
  return hand_out_unstable_ ? committed_ : std::min(committed_, unstable_.offset() - 1);
}

bool Log::HasCommittedToApply() const {
  // A snapshot comes first: entries after it apply to the state it brings.
  return !applying_paused_ && !read_failed_ && !HasPendingSnapshot() && applying_ < MaxAppliable();
}

std::vector<eraftpb::Entry> Log::CommittedToApply() {
  std::vector<eraftpb::Entry> out;
  if (!HasCommittedToApply()) return out;
  const absl::Status s =
      Entries(applying_ + 1, MaxAppliable() + 1, max_applying_bytes_ - applying_bytes_, &out);
  if (!s.ok()) {
    RAFT_TELL(events_, kError, "cannot read committed entries from {}: {}", applying_ + 1,
              Message(s));
    out.clear();
    read_failed_ = true;
  }
  return out;
}

void Log::AcceptApplying(const std::vector<eraftpb::Entry>& entries) {
  if (entries.empty()) return;
  Applying batch{entries.back().index(), 0, 0};
  for (const eraftpb::Entry& entry : entries) {
    batch.bytes += EntryBytes(entry);
    batch.payload += PayloadBytes(entry);
  }
  applying_ = batch.last_index;
  applying_bytes_ += batch.bytes;
  in_apply_.push_back(batch);
  // What did not fit into this batch waits until some of it is applied.
  applying_paused_ = applying_bytes_ >= max_applying_bytes_ || applying_ < MaxAppliable();
}

uint64_t Log::AppliedTo(uint64_t index) {
  CHECK_LE(index, committed_) << "applied what is not committed";
  if (index < applied_) return 0;  // a snapshot overtook it
  applied_ = index;
  applying_ = std::max(applying_, index);
  uint64_t payload = 0;
  auto done = in_apply_.begin();
  for (; done != in_apply_.end() && done->last_index <= index; ++done) {
    applying_bytes_ -= done->bytes;
    payload += done->payload;
  }
  in_apply_.erase(in_apply_.begin(), done);
  applying_paused_ = applying_bytes_ >= max_applying_bytes_;
  return payload;
}

}  // namespace tikv::raft
