// Beginning segments and retiring them.
#include "lib/base/status.h"
#include "lib/raftlog/raft_log_impl.h"

namespace tikv::raftlog {
namespace {

uint64_t EntryBytes(const Group& group) {
  uint64_t bytes = 0;
  if (group.entry_count() == 0) return 0;
  for (uint64_t index = group.first_index(); index <= group.last_index(); ++index) {
    bytes += group.entry(index).size;
  }
  return bytes;
}

// Everything the group has, such that replaying it first of all rebuilds the group.
absl::Status AppendImage(GroupId id, const Group& group, const RaftLog& log, LogBatch* batch) {
  batch->RemoveGroup(id);
  if (group.truncated_segment != 0) {
    batch->CompactTo(id, group.truncated_index, group.truncated_term);
  }
  if (group.hard_state_segment != 0) batch->SetHardState(id, group.hard_state);
  for (const auto& [key, value] : group.values) batch->Put(id, key, value.bytes);
  if (group.entry_count() == 0) return absl::OkStatus();
  return log.Read(id, group.first_index(), group.last_index() + 1, UINT64_MAX,
                  [&](uint64_t index, uint64_t term, std::string_view data) {
                    batch->AppendEntry(id, index, term, data);
                  });
}

}  // namespace

absl::Status RaftLog::Impl::EnsureRoom(uint64_t bytes) {
  if (end_ + bytes <= active().file_size) return absl::OkStatus();
  // The next segment vouches for this one's end.
  RETURN_IF_ERROR(SyncActive());
  return StartSegment(bytes);
}

// On failure nothing changed but perhaps a spare file.
absl::Status RaftLog::Impl::StartSegment(uint64_t bytes) {
  Segment segment;
  segment.sequence = segments_.empty() ? 1 : active().sequence + 1;
  segment.header = {.sequence = segment.sequence, .salt = random_.Next(), .previous_end = end_};
  const uint64_t size = std::max(options_.segment_bytes, AlignToSector(kFirstRecord + bytes));
  const std::string spare = spare_paths_.empty() ? "" : spare_paths_.back();
  absl::Status s = CreateSegment(fs_, options_.dir, spare, size, &segment);
  if (!s.ok()) {
    // Renamed but not synced: after a crash it may be there, after another try it would be twice.
    if (fs_->Exists(segment.path)) return Fail(s);
    // Give back what a full disk granted in part; without a spare the file is only temporary.
    if (spare.empty()) {
      fs_->Remove(JoinPath(options_.dir, SpareName(segment.sequence))).IgnoreError();
    }
    return Annotate(s, "raft log");
  }
  if (!spare.empty()) spare_paths_.pop_back();
  end_ = durable_end_ = kFirstRecord;
  std::lock_guard lock(mutex_);
  segments_.emplace(segment.sequence, std::move(segment));
  return absl::OkStatus();
}

// Removes segments from the front as long as no group needs them.
absl::Status RaftLog::Impl::DropDeadSegments() {
  uint32_t needed = active().sequence;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, group] : index_.groups()) {
      needed = std::min(needed, group.OldestSegment());
    }
  }
  if (segments_.begin()->first < needed) {
    // What makes the old segments dead must be durable before they go.
    RETURN_IF_ERROR(SyncActive());
  }
  while (segments_.begin()->first < needed) {
    Segment dead;
    {
      std::lock_guard lock(mutex_);
      dead = std::move(segments_.begin()->second);
      segments_.erase(segments_.begin());
    }
    const bool keep =
        spare_paths_.size() < options_.spare_segments && dead.file_size == options_.segment_bytes;
    const std::string spare = JoinPath(options_.dir, SpareName(dead.sequence));
    absl::Status s = keep ? fs_->Rename(dead.path, spare) : fs_->Remove(dead.path);
    // One by one and durable: a hole in the sequence always means damage.
    if (s.ok()) s = fs_->SyncDir(options_.dir);
    if (!s.ok()) return Fail(s);
    if (keep) spare_paths_.push_back(spare);
  }
  return absl::OkStatus();
}

// Writes the groups that live in the oldest segment once more, at the front of the log.
absl::Status RaftLog::Impl::MoveOldest(const RaftLog& log) {
  const uint32_t oldest = segments_.begin()->first;
  LogBatch batch;
  for (const GroupId id : Ids()) {
    const Group& group = *index_.Find(id);  // Only we change it.
    if (group.OldestSegment() != oldest) continue;
    // Its image would have to be held in memory; rather more segments until its owner compacts it.
    if (EntryBytes(group) > options_.max_image_bytes) continue;
    RETURN_IF_ERROR(AppendImage(id, group, log, &batch));
    // Each image is whole within one record; small ones share.
    if (batch.byte_size() >= kMaxReadBytes) RETURN_IF_ERROR(WriteImages(&batch));
  }
  if (!batch.empty()) RETURN_IF_ERROR(WriteImages(&batch));
  RETURN_IF_ERROR(SyncActive());
  return DropDeadSegments();
}

absl::Status RaftLog::Impl::WriteImages(LogBatch* batch) {
  const uint64_t bytes = batch->byte_size();
  RETURN_IF_ERROR(WriteRecord(batch));
  std::lock_guard lock(mutex_);
  stats_.rewritten_bytes += bytes;
  return absl::OkStatus();
}

}  // namespace tikv::raftlog
