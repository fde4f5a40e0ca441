#include "lib/raftlog/raft_log.h"

#include <mutex>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/raftlog/log_index.h"
#include "lib/raftlog/recovery.h"
#include "lib/raftlog/segment.h"
#include "lib/raftlog/tail_cache.h"

namespace tikv::raftlog {
namespace {

// Entries that are read from disk together.
constexpr uint64_t kMaxReadBytes = 1 << 20;

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
  absl::Status Fail(const absl::Status& cause);
  absl::Status WriteRecord(LogBatch* batch);
  absl::Status SyncActive();
  absl::Status EnsureRoom(uint64_t bytes);
  absl::Status StartSegment(uint64_t bytes);
  absl::Status DropDeadSegments();
  absl::Status MoveOldest(const RaftLog& log);
  absl::Status WriteImages(LogBatch* batch);
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
  std::map<uint32_t, Segment> segments_;  // The last is active.  Changed by the appender only.
  mutable LogStats stats_;
  mutable std::string read_buffer_;
};

absl::Status RaftLog::Impl::Open() {
  RETURN_IF_ERROR(fs_->CreateDirs(options_.dir));
  ASSIGN_OR_RETURN(lock_, fs_->Lock(JoinPath(options_.dir, "LOCK")));
  ASSIGN_OR_RETURN(Recovered recovered, Recover(fs_, options_.dir));
  segments_ = std::move(recovered.segments);
  spare_paths_ = std::move(recovered.spare_paths);
  index_ = std::move(recovered.index);
  end_ = durable_end_ = recovered.end;
  if (segments_.empty()) RETURN_IF_ERROR(StartSegment(0));
  return DropDeadSegments();
}

// Whatever a failed write or sync left on disk, no later success can vouch for it.
absl::Status RaftLog::Impl::Fail(const absl::Status& cause) {
  fs_->Open(JoinPath(options_.dir, kFailedMarker), OpenOptions::Create()).status().IgnoreError();
  std::lock_guard lock(mutex_);
  failed_ = DataLoss("raft log {} has failed: {}", options_.dir, Message(cause));
  return failed_;
}

absl::Status RaftLog::Impl::Append(LogBatch* batch, bool sync, const RaftLog& log) {
  RETURN_IF_ERROR(failed());
  const uint32_t segment_before = active().sequence;
  if (!batch->empty()) RETURN_IF_ERROR(WriteRecord(batch));
  if (sync) RETURN_IF_ERROR(SyncActive());
  if (active().sequence == segment_before) return absl::OkStatus();
  // The batch is written, whatever becomes of the cleaning: a disk too full for it is no failure.
  absl::Status cleaned = DropDeadSegments();
  if (cleaned.ok() && segments_.size() > options_.max_segments) cleaned = MoveOldest(log);
  return failed();
}

absl::Status RaftLog::Impl::WriteRecord(LogBatch* batch) {
  std::string& record = batch->record_;
  if (record.size() > kMaxRecordSize) {
    return InvalidArgument("a raft log batch of {} bytes is too large", record.size());
  }
  RETURN_IF_ERROR(EnsureRoom(record.size()));
  Segment& segment = active();
  SealRecord(&record, segment.header.salt, durable_end_);
  {
    // Visible before it is durable; a failure below ends the log, so nobody sees it vanish.
    std::lock_guard lock(mutex_);
    CHECK(index_.Apply(record, segment.sequence, end_, LogIndex::Mode::kLive));
    stats_.written_bytes += record.size();
  }
  if (absl::Status s = segment.file->WriteAt(end_, record); !s.ok()) return Fail(s);
  appended_ = true;
  const uint64_t offset = end_;
  end_ += AlignToSector(record.size());
  std::lock_guard lock(mutex_);
  cache_.Insert(segment.sequence, offset, std::move(record));
  record = cache_.TakeSpareBuffer();
  record.assign(kRecordHeaderSize, '\0');
  return absl::OkStatus();
}

absl::Status RaftLog::Impl::SyncActive() {
  if (durable_end_ == end_) return absl::OkStatus();
  if (absl::Status s = active().file->SyncData(); !s.ok()) return Fail(s);
  durable_end_ = end_;
  std::lock_guard lock(mutex_);
  ++stats_.synced_batches;
  return absl::OkStatus();
}

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

absl::Status RaftLog::Impl::Sync() {
  RETURN_IF_ERROR(failed());
  return SyncActive();
}

absl::Status RaftLog::Impl::Close() {
  RETURN_IF_ERROR(failed());
  RETURN_IF_ERROR(SyncActive());
  if (!appended_) return absl::OkStatus();
  appended_ = false;
  // An empty record whose durable end covers all others; without room for it the tail is as safe
  // as after a crash.
  std::string record(kRecordHeaderSize, '\0');
  if (end_ + record.size() > active().file_size) return absl::OkStatus();
  SealRecord(&record, active().header.salt, durable_end_);
  if (absl::Status s = active().file->WriteAt(end_, record); !s.ok()) return Fail(s);
  end_ += AlignToSector(record.size());
  return SyncActive();
}

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
    const std::string_view data = cache_.Find(ref.segment, ref.offset, ref.size);
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
    if (ref.segment != first.segment || ref.offset + ref.size - first.offset > kMaxReadBytes ||
        ref.size > budget) {
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

RaftLog::RaftLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RaftLog::~RaftLog() = default;

absl::StatusOr<std::unique_ptr<RaftLog>> RaftLog::Open(FileSystem* fs, Options options,
                                                       Random random) {
  // Places within a segment are 32-bit.
  if (options.segment_bytes < 4096 || options.segment_bytes > kMaxRecordSize) {
    return InvalidArgument("raft log segments of {} bytes: must be between 4KiB and 1GiB",
                           options.segment_bytes);
  }
  options.segment_bytes = AlignToSector(options.segment_bytes);
  options.max_segments = std::max(options.max_segments, 2u);
  auto impl = std::make_unique<Impl>(fs, std::move(options), random);
  RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<RaftLog>(new RaftLog(std::move(impl)));
}

absl::Status RaftLog::Append(LogBatch* batch, bool sync) {
  return impl_->Append(batch, sync, *this);
}
absl::Status RaftLog::Sync() { return impl_->Sync(); }
absl::Status RaftLog::Close() { return impl_->Close(); }
std::vector<GroupId> RaftLog::Groups() const { return impl_->Ids(); }
LogStats RaftLog::Stats() const { return impl_->Stats(); }

bool RaftLog::Contains(GroupId group) const {
  return impl_->OfGroup(group, false, [](const Group&) { return true; });
}

HardState RaftLog::GetHardState(GroupId group) const {
  return impl_->OfGroup(group, HardState(), [](const Group& g) { return g.hard_state; });
}

std::optional<std::string> RaftLog::Get(GroupId group, std::string_view key) const {
  using Answer = std::optional<std::string>;
  return impl_->OfGroup(group, Answer(), [key](const Group& g) {
    const auto it = g.values.find(key);
    return it == g.values.end() ? Answer() : Answer(it->second.bytes);
  });
}

uint64_t RaftLog::TruncatedIndex(GroupId group) const {
  return impl_->OfGroup(group, uint64_t{0}, [](const Group& g) { return g.truncated_index; });
}

uint64_t RaftLog::LastIndex(GroupId group) const {
  return impl_->OfGroup(group, uint64_t{0}, [](const Group& g) { return g.last_index(); });
}

absl::StatusOr<uint64_t> RaftLog::Term(GroupId group, uint64_t index) const {
  return impl_->Term(group, index);
}

absl::Status RaftLog::Read(GroupId group, uint64_t low, uint64_t high, uint64_t max_bytes,
                           EntryVisitor visit) const {
  return impl_->Read(group, low, high, max_bytes, visit);
}

}  // namespace tikv::raftlog
