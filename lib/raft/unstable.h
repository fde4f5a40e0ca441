// The end of the log that storage is not known to hold yet.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lib/raft/event_log.h"
#include "proto/eraftpb.pb.h"

namespace tikv::raft {

// Entries from `offset` on, the first of which (below `offset_in_progress`) have been handed out to
// be written; before them, perhaps, a snapshot to install.  An entry leaves when its write is
// acknowledged, not when it is handed out: until then only this copy can be sent to others.
class Unstable {
 public:
  Unstable(uint64_t offset, EventLog* events)
      : offset_(offset), offset_in_progress_(offset), events_(events) {}

  uint64_t offset() const { return offset_; }
  uint64_t offset_in_progress() const { return offset_in_progress_; }
  const std::vector<eraftpb::Entry>& entries() const { return entries_; }
  const eraftpb::Snapshot* snapshot() const { return snapshot_.get(); }

  std::optional<uint64_t> Term(uint64_t index) const;

  bool HasNewEntries() const { return offset_in_progress_ < offset_ + entries_.size(); }
  bool HasNewSnapshot() const { return snapshot_ != nullptr && !snapshot_in_progress_; }
  // Appends the entries not handed out yet.
  void NewEntries(std::vector<eraftpb::Entry>* out) const;
  // Everything has been handed out.
  void Accept();

  // The write of the log up to (index, term) is durable.  An entry there of another term replaced
  // the written one in the meantime; then the write says nothing about it.
  void StableTo(uint64_t index, uint64_t term);
  void SnapshotStable(uint64_t index);

  // Replaces what is there from entries[0].index on.  REQUIRES: entries not empty, no gap before.
  void TruncateAndAppend(std::vector<eraftpb::Entry> entries);
  void Restore(eraftpb::Snapshot snapshot);

 private:
  uint64_t offset_;
  uint64_t offset_in_progress_;
  std::vector<eraftpb::Entry> entries_;
  std::unique_ptr<eraftpb::Snapshot> snapshot_;
  bool snapshot_in_progress_ = false;
  EventLog* events_;
};

}  // namespace tikv::raft
