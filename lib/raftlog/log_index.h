// What is where: the state of every group in memory, with entries as places in segment files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/raftlog/format.h"
#include "lib/raftlog/raft_log.h"

namespace tikv::raftlog {

// 24 bytes per entry of the log.
struct EntryRef {
  uint64_t term = 0;
  uint32_t segment = 0;
  uint32_t offset = 0;  // Of the data, in the file.
  uint32_t size = 0;
  uint32_t checksum = 0;
};

// One group.  Entries are [first, last], contiguous.  In a running log first is the truncated
// index + 1; while segments are replayed it may be more, because the front of the group went with
// an older segment and an image of the group is still to come (see LogIndex::FindGap).
class Group {
 public:
  uint64_t first_index() const { return first_; }
  uint64_t last_index() const { return first_ + entries_.size() - head_ - 1; }
  size_t entry_count() const { return entries_.size() - head_; }
  // REQUIRES: first_index() <= index <= last_index().
  const EntryRef& entry(uint64_t index) const { return entries_[head_ + (index - first_)]; }
  bool has_gap() const { return entry_count() > 0 && first_ != truncated_index + 1; }
  bool CanAppend(uint64_t index) const { return index >= first_ && index <= last_index() + 1; }

  void Append(uint64_t index, const EntryRef& ref);
  void Compact(uint64_t index, uint64_t term, uint32_t segment);
  // The oldest segment that holds something of this group that is still needed.
  uint32_t OldestSegment() const;

  struct Value {
    std::string bytes;
    uint32_t segment = 0;
  };

  HardState hard_state;
  uint32_t hard_state_segment = 0;  // 0: never set.
  uint32_t truncated_segment = 0;   // 0: never set.
  uint64_t truncated_index = 0;
  uint64_t truncated_term = 0;
  std::map<std::string, Value, std::less<>> values;

 private:
  void DropFront(uint64_t count);

  std::vector<EntryRef> entries_;  // From head_ on; what is before waits to be erased in bulk.
  size_t head_ = 0;
  uint64_t first_ = 1;
};

// All groups.  Not thread-safe.
class LogIndex {
 public:
  enum class Mode {
    kReplay,  // Tolerates groups whose front is missing; FindGap tells at the end.
    kLive,    // CHECKs that entries are contiguous.
  };

  // Applies a record (header and payload) that stands at `offset` of `segment`.  False when its
  // payload is malformed.
  bool Apply(std::string_view record, uint32_t segment, uint64_t offset, Mode mode);

  const Group* Find(GroupId group) const;
  const std::unordered_map<GroupId, Group>& groups() const { return groups_; }
  std::vector<GroupId> Ids() const;  // Ascending.
  uint64_t entry_count() const;

  // A group that misses entries between its truncation point and its first entry.
  std::optional<GroupId> FindGap() const;

 private:
  class Applier;
  std::unordered_map<GroupId, Group> groups_;
};

}  // namespace tikv::raftlog
