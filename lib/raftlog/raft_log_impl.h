// The inside of RaftLog, split over raft_log.cc (appending), cleaning.cc and reading.cc.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/raftlog/log_index.h"
#include "lib/raftlog/raft_log.h"
#include "lib/raftlog/segment.h"
#include "lib/raftlog/tail_cache.h"

namespace tikv::raftlog {

// Entries that are read or moved together.
inline constexpr uint64_t kMaxReadBytes = 1 << 20;

// What the appending thread alone uses is marked; everything else is under the mutex.  The mutex
// is free during disk writes, so that readers do not wait for them.
class RaftLog::Impl {
 public:
  Impl(FileSystem* fs, Options options, Random random)
      : fs_(fs), options_(std::move(options)), random_(random), cache_(options_.cache_bytes) {}

  absl::Status Open();
  absl::Status Append(LogBatch* batch, bool sync, const RaftLog& log);
  absl::Status Sync();
  absl::Status Close();
  absl::StatusOr<uint64_t> Term(GroupId id, uint64_t index) const;
  absl::Status Read(GroupId id, uint64_t low, uint64_t high, uint64_t max_bytes,
                    EntryVisitor visit) const;
  LogStats Stats() const;

  // The answer of `ask` for the group, or `otherwise` when it is unknown.
  template <class T, class Ask>
  T OfGroup(GroupId id, T otherwise, Ask ask) const {
    std::lock_guard lock(mutex_);
    const Group* group = index_.Find(id);
    return group == nullptr ? otherwise : ask(*group);
  }
  std::vector<GroupId> Ids() const {
    std::lock_guard lock(mutex_);
    return index_.Ids();
  }
  absl::Status failed() const {
    std::lock_guard lock(mutex_);
    return failed_;
  }

 private:
  Segment& active() { return segments_.rbegin()->second; }
  uint32_t active_sequence() const { return segments_.rbegin()->first; }
  absl::Status Fail(const absl::Status& cause);
  absl::Status WriteRecord(LogBatch* batch);
  absl::Status SyncActive();
  absl::Status EnsureRoom(uint64_t bytes);
  absl::Status StartSegment(uint64_t bytes);
  absl::Status DropDeadSegments();
  absl::Status MoveOldest(const RaftLog& log);
  absl::Status WriteImages(LogBatch* batch);
  bool IsUnwritten(const EntryRef& ref) const {
    return !unwritten_.empty() && ref.segment == active_sequence() &&
           ref.offset >= unwritten_offset_;
  }
  std::string_view InMemory(const EntryRef& ref) const;
  absl::Status ReadFromDisk(const Group& group, uint64_t* index, uint64_t high, uint64_t* left,
                            EntryVisitor visit) const;

  FileSystem* const fs_;
  const Options options_;

  // Of the appending thread.
  Random random_;
  std::unique_ptr<FileLock> lock_;
  uint64_t end_ = 0;          // Of the active segment: where the next record goes.
  uint64_t durable_end_ = 0;  // Of the active segment.
  bool appended_ = false;     // Since Open.
  std::vector<std::string> spare_paths_;

  mutable std::mutex mutex_;
  absl::Status failed_;
  LogIndex index_;
  TailCache cache_;
  // The record that is in the index but not yet in the active segment, and where it goes there.
  std::string_view unwritten_;
  uint64_t unwritten_offset_ = 0;
  std::map<uint32_t, Segment> segments_;  // The last is active.  Changed by the appender only.
  mutable LogStats stats_;
  mutable std::string read_buffer_;
};

}  // namespace tikv::raftlog
