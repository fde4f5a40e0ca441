// A replica's log: what storage holds, followed by what it does not hold yet.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "lib/raft/config.h"
#include "lib/raft/log_storage.h"
#include "lib/raft/unstable.h"
#include "proto/eraftpb.pb.h"

namespace tikv::raft {

// Bytes an entry counts for in every limit.
uint64_t EntryBytes(const eraftpb::Entry& entry);
// Its payload alone, for max_uncommitted_size: an empty entry is never refused.
uint64_t PayloadBytes(const eraftpb::Entry& entry);

// Invariant: applied <= applying <= committed <= last_index.
class Log {
 public:
  // An index and the term of the entry there.
  struct Position {
    uint64_t index = 0;
    uint64_t term = 0;
  };

  static absl::StatusOr<Log> Open(const Config& config, LogStorage* storage);

  uint64_t committed() const { return committed_; }
  uint64_t applied() const { return applied_; }
  uint64_t first_index() const;
  uint64_t last_index() const { return last_.index; }
  Position last() const { return last_; }

  // OutOfRange: compacted; NotFound: not there yet; else storage failed.
  absl::StatusOr<uint64_t> Term(uint64_t index) const;
  uint64_t TermOrZero(uint64_t index) const;
  bool Matches(Position at) const;
  // Whether a log that ends there may be voted for: it holds at least what this one holds.
  bool IsUpToDate(Position last) const;
  // The largest position at or before `index` whose term is at most `term`: where two logs can
  // agree at best.  Term 0 when it is compacted away.
  Position FindAtMost(uint64_t index, uint64_t term) const;

  // Appends entries [low, ...] to *out, up to `max_bytes` but at least one, if any.
  absl::Status Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                       std::vector<eraftpb::Entry>* out) const;

  // REQUIRES: entries follow some entry at or after the commit index.
  void Append(std::vector<eraftpb::Entry> entries);
  // The index of the first entry that is not in the log as given, 0 if all are.
  uint64_t FindConflict(const google::protobuf::RepeatedPtrField<eraftpb::Entry>& entries) const;
  void CommitTo(uint64_t index);  // REQUIRES: index <= last_index(); never goes back
  void Restore(eraftpb::Snapshot snapshot);
  // For a new replica or a restart.  REQUIRES: in [committed, last_index].
  void StartAt(uint64_t committed, uint64_t applied);

  // ---- what Ready hands out ----
  bool HasPendingSnapshot() const { return unstable_.snapshot() != nullptr; }
  bool HasCommittedToApply() const;
  // The next batch; empty when there is none, too much is being applied, or storage failed: then
  // nothing more is offered until RetryReading(), so that a shell's loop ends.
  std::vector<eraftpb::Entry> CommittedToApply();
  void RetryReading() { read_failed_ = false; }
  void AcceptApplying(const std::vector<eraftpb::Entry>& entries);
  // Returns the payload bytes of what was applied.
  uint64_t AppliedTo(uint64_t index);

  Unstable& unstable() { return unstable_; }
  const Unstable& unstable() const { return unstable_; }
  LogStorage* storage() const { return storage_; }

 private:
  // A batch of committed entries being applied.
  struct Applying {
    uint64_t last_index;
    uint64_t bytes;
    uint64_t payload;
  };

  Log(const Config& config, LogStorage* storage, uint64_t committed, Position last);
  uint64_t MaxAppliable() const;

  LogStorage* storage_;
  EventLog* events_;
  Unstable unstable_;
  Position last_;  // kept here so that a vote needs no read
  uint64_t committed_;
  uint64_t applying_;  // highest index handed out
  uint64_t applied_;
  uint64_t max_applying_bytes_;
  uint64_t applying_bytes_ = 0;
  bool applying_paused_ = false;
  bool read_failed_ = false;
  bool hand_out_unstable_;
  std::vector<Applying> in_apply_;
};

}  // namespace tikv::raft
