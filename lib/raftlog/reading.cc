// Answering from the index, the cache and the files.
#include "lib/base/status.h"
#include "lib/raftlog/raft_log_impl.h"

namespace tikv::raftlog {

absl::StatusOr<uint64_t> RaftLog::Impl::Term(GroupId id, uint64_t index) const {
  std::lock_guard lock(mutex_);
  const Group* group = index_.Find(id);
  if (group == nullptr) {
    if (index == 0) return uint64_t{0};
    return NotFound("raft log has no group {}", id);
  }
  if (index == group->truncated_index) return group->truncated_term;
  if (index < group->truncated_index) return OutOfRange("entry {} is compacted", index);
  if (index > group->last_index()) {
    return NotFound("entry {} is beyond the last, {}", index, group->last_index());
  }
  return group->entry(index).term;
}

// Null when the entry is only on disk.
std::string_view RaftLog::Impl::InMemory(const EntryRef& ref) const {
  if (IsUnwritten(ref)) return unwritten_.substr(ref.offset - unwritten_offset_, ref.size);
  return cache_.Find(ref.segment, ref.offset, ref.size);
}

absl::Status RaftLog::Impl::Read(GroupId id, uint64_t low, uint64_t high, uint64_t max_bytes,
                                 EntryVisitor visit) const {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(failed_);
  const Group* group = index_.Find(id);
  if (group == nullptr) return NotFound("raft log has no group {}", id);
  if (low < group->first_index()) {
    return OutOfRange("group {}: entry {} is compacted, the first is {}", id, low,
                      group->first_index());
  }
  if (high > group->last_index() + 1) {
    return NotFound("group {}: entry {} is beyond the last, {}", id, high - 1, group->last_index());
  }
  uint64_t left = max_bytes;
  for (uint64_t index = low; index < high;) {
    const EntryRef& ref = group->entry(index);
    if (ref.size > left && index != low) break;
    const std::string_view data = InMemory(ref);
    if (data.data() == nullptr) {
      RETURN_IF_ERROR(ReadFromDisk(*group, &index, high, &left, visit));
      if (left == 0) break;
      continue;
    }
    ++stats_.cache_hits;
    visit(index, ref.term, data);
    left -= std::min<uint64_t>(left, ref.size);
    ++index;
  }
  return absl::OkStatus();
}

// Visits entries from *index on that stand close together in one file, with one read.
absl::Status RaftLog::Impl::ReadFromDisk(const Group& group, uint64_t* index, uint64_t high,
                                         uint64_t* left, EntryVisitor visit) const {
  const EntryRef& first = group.entry(*index);
  uint64_t end_index = *index + 1;
  uint64_t end = first.offset + first.size;
  uint64_t budget = *left - std::min<uint64_t>(*left, first.size);
  for (; end_index < high; ++end_index) {
    const EntryRef& ref = group.entry(end_index);
    if (IsUnwritten(ref) || ref.segment != first.segment ||
        ref.offset + ref.size - first.offset > kMaxReadBytes || ref.size > budget) {
      break;
    }
    budget -= ref.size;
    end = ref.offset + ref.size;
  }
  const Segment& segment = segments_.at(first.segment);
  read_buffer_.resize(end - first.offset);
  ASSIGN_OR_RETURN(const size_t n,
                   segment.file->ReadAt(first.offset, read_buffer_.data(), read_buffer_.size()));
  for (; *index < end_index; ++*index) {
    const EntryRef& ref = group.entry(*index);
    const uint64_t from = ref.offset - first.offset;
    const std::string_view data =
        from + ref.size <= n ? std::string_view(read_buffer_).substr(from, ref.size) : "";
    if (data.size() != ref.size || EntryChecksum(data) != ref.checksum) {
      return DataLoss("raft log {} is damaged at offset {}: entry {} does not match its checksum",
                      segment.path, ref.offset, *index);
    }
    ++stats_.cache_misses;
    visit(*index, ref.term, data);
  }
  *left = budget;
  if (read_buffer_.capacity() > 2 * kMaxReadBytes) std::string().swap(read_buffer_);
  return absl::OkStatus();
}

LogStats RaftLog::Impl::Stats() const {
  std::lock_guard lock(mutex_);
  LogStats stats = stats_;
  stats.groups = index_.groups().size();
  stats.entries = index_.entry_count();
  stats.segments = segments_.size();
  for (const auto& [sequence, segment] : segments_) stats.disk_bytes += segment.file_size;
  stats.cache_bytes = cache_.bytes();
  return stats;
}

}  // namespace tikv::raftlog
