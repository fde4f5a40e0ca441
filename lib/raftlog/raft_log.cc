#include "lib/raftlog/raft_log.h"

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/raftlog/raft_log_impl.h"
#include "lib/raftlog/recovery.h"

namespace tikv::raftlog {

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
  unwritten_ = {};
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
    unwritten_ = record;
    unwritten_offset_ = end_;
  }
  const absl::Status written = segment.file->WriteAt(end_, record);
  if (!written.ok()) return Fail(written);
  appended_ = true;
  const uint64_t offset = end_;
  end_ += AlignToSector(record.size());
  std::lock_guard lock(mutex_);
  unwritten_ = {};
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
