// RaftLog: the durable log of all Raft groups of a process.  One batch of changes, for as many
// groups as have some, costs one write and one fdatasync.  On-disk format: format.md.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/env/file_system.h"
#include "lib/env/random.h"

namespace tikv::raftlog {

using GroupId = uint64_t;

// Raft's term, vote and commit index of a group.
struct HardState {
  uint64_t term = 0;
  uint64_t vote = 0;
  uint64_t commit = 0;
  friend bool operator==(const HardState&, const HardState&) = default;
};

// Changes to append together: all or none survive a crash.  They apply in the order added.
// Serialises as it goes, in the on-disk format; reusable after Clear().  Not thread-safe.
class LogBatch {
 public:
  LogBatch();

  // `data` is opaque (a serialised eraftpb::Entry, say).  Within a group indexes are contiguous;
  // an index that exists already replaces that entry and drops all after it.
  void AppendEntry(GroupId group, uint64_t index, uint64_t term, std::string_view data);
  void SetHardState(GroupId group, const HardState& state);
  // Small records of the group beside its entries: apply state, region state...
  void Put(GroupId group, std::string_view key, std::string_view value);
  void Delete(GroupId group, std::string_view key);
  // Forgets the entries up to and including `index`, whose term is `term` (Term(index) answers it
  // from then on).  Beyond the last entry, as after a snapshot, the log becomes empty and goes on
  // at index + 1.  Not after the truncation point: ignored.
  void CompactTo(GroupId group, uint64_t index, uint64_t term);
  // The group with all it has.
  void RemoveGroup(GroupId group);

  bool empty() const;
  size_t byte_size() const;
  void Clear();  // Keeps the memory.

 private:
  friend class RaftLog;
  std::string record_;  // Room for the record header, then the items.
};

// Where the log is and how much disk and memory it may take.
struct Options {
  std::string dir;                    // Created when missing.
  uint64_t segment_bytes = 64 << 20;  // Preallocated size of a segment file.
  uint64_t cache_bytes = 16 << 20;    // Recent entries kept in memory.
  // When more segments than this are in use, the live records of the oldest move to the front.
  uint32_t max_segments = 16;
  // Groups with larger logs are not moved: it takes this much memory.
  uint64_t max_image_bytes = 512 << 20;
  uint32_t spare_segments = 2;  // Emptied files kept for reuse.
};

// For metrics and tests; counters count from Open.
struct LogStats {
  uint64_t groups = 0;
  uint64_t entries = 0;
  uint64_t segments = 0;
  uint64_t disk_bytes = 0;
  uint64_t cache_bytes = 0;
  uint64_t synced_batches = 0;
  uint64_t written_bytes = 0;
  uint64_t rewritten_bytes = 0;  // Of the above, moved from old segments.
  uint64_t cache_hits = 0;       // Entries read.
  uint64_t cache_misses = 0;
};

// Thread-safe for readers; one thread at a time appends.  Changes are visible to readers when
// Append is called and durable when it (or a later synced Append, or Sync) has returned OK.
//
// Errors: once a write or sync failed, nobody knows what is on disk; the log has failed for good
// and every later call returns DataLoss.  A full disk (ResourceExhausted, when a new segment is
// needed) changes nothing and may be tried again.
class RaftLog {
 public:
  // Recovers what is in the folder.  A torn tail, as a crash leaves it, is cut off; damage
  // anywhere else is DataLoss with file and offset; a folder in use is Unavailable.
  // `fs` must outlive the log.
  static absl::StatusOr<std::unique_ptr<RaftLog>> Open(FileSystem* fs, Options options,
                                                       Random random);
  ~RaftLog();

  // Writes the batch and clears it.  With `sync`, it and everything before it is durable on
  // return.  CHECKs that entries are contiguous with the group's log.
  absl::Status Append(LogBatch* batch, bool sync);
  absl::Status Sync();

  // Ascending.
  std::vector<GroupId> Groups() const;
  bool Contains(GroupId group) const;
  HardState GetHardState(GroupId group) const;  // Zeros for an unknown group.
  std::optional<std::string> Get(GroupId group, std::string_view key) const;

  // Index of the last forgotten entry (0: none); the first entry is the next one.
  uint64_t TruncatedIndex(GroupId group) const;
  uint64_t FirstIndex(GroupId group) const { return TruncatedIndex(group) + 1; }
  // TruncatedIndex when the log is empty.
  uint64_t LastIndex(GroupId group) const;
  // For indexes in [TruncatedIndex, LastIndex]; OutOfRange below, NotFound above.
  absl::StatusOr<uint64_t> Term(GroupId group, uint64_t index) const;

  // Entries [low, high) in order, until their data exceeds max_bytes (at least one is given).
  // The view lives during the call only; `visit` must not call the log.  OutOfRange below
  // FirstIndex, NotFound above LastIndex; DataLoss when the disk returns something else than was
  // written.
  using EntryVisitor =
      absl::FunctionRef<void(uint64_t index, uint64_t term, std::string_view data)>;
  absl::Status Read(GroupId group, uint64_t low, uint64_t high, uint64_t max_bytes,
                    EntryVisitor visit) const;

  LogStats Stats() const;
  // Marks a clean end (so that even damage to the last records is seen at the next start).
  absl::Status Close();

 private:
  class Impl;
  explicit RaftLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tikv::raftlog
