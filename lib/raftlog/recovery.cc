#include "lib/raftlog/recovery.h"

#include "lib/base/status.h"

namespace tikv::raftlog {
namespace {

absl::Status Damaged(const Segment& segment, uint64_t offset, std::string_view what) {
  return DataLoss("raft log {} is damaged at offset {}: {}", segment.path, offset, what);
}

class Recovery {
 public:
  Recovery(FileSystem* fs, const std::string& dir) : fs_(fs), dir_(dir) {}

  absl::StatusOr<Recovered> Run() {
    RETURN_IF_ERROR(OpenAll());
    for (auto it = out_.segments.begin(); it != out_.segments.end(); ++it) {
      const auto next = std::next(it);
      if (next == out_.segments.end()) {
        RETURN_IF_ERROR(ReplayLast(&it->second));
      } else {
        RETURN_IF_ERROR(ReplayFull(it->second, next->second.header.previous_end));
      }
    }
    if (const auto group = out_.index.FindGap()) {
      return DataLoss("raft log {} misses entries of group {} before {}", dir_, *group,
                      out_.index.Find(*group)->first_index());
    }
    return std::move(out_);
  }

 private:
  absl::Status OpenAll() {
    ASSIGN_OR_RETURN(const auto names, fs_->List(dir_));
    uint32_t last = 0;
    for (const std::string& name : names) {  // Sorted, and so by number.
      if (IsSpareName(name)) out_.spare_paths.push_back(JoinPath(dir_, name));
      const auto sequence = ParseSegmentName(name);
      if (!sequence) continue;
      // Each removal is durable before the next: only the front may be missing.
      if (last != 0 && *sequence != last + 1) {
        return DataLoss("raft log {} misses segment file {}", dir_, SegmentName(last + 1));
      }
      last = *sequence;
      ASSIGN_OR_RETURN(Segment segment, OpenSegment(fs_, dir_, *sequence));
      out_.segments.emplace(*sequence, std::move(segment));
    }
    return absl::OkStatus();
  }

  // Applies records from the first on; returns where the first invalid one is, `limit` at most.
  absl::StatusOr<uint64_t> ReplayUntil(const Segment& segment, RecordReader* reader,
                                       uint64_t limit) {
    uint64_t offset = kFirstRecord;
    proven_end_ = kFirstRecord;
    while (offset < limit) {
      ASSIGN_OR_RETURN(const auto record, reader->RecordAt(offset));
      if (!record) return offset;
      if (!out_.index.Apply(*record, segment.sequence, offset, LogIndex::Mode::kReplay)) {
        return Damaged(segment, offset, "a record of unknown contents");
      }
      proven_end_ = DecodeRecordHeader(*record).durable_end;
      offset += AlignToSector(record->size());
    }
    return offset;
  }

  // A segment that is not the last was synced to its end before the next one was begun.
  absl::Status ReplayFull(const Segment& segment, uint64_t end) {
    RecordReader reader(&segment);
    ASSIGN_OR_RETURN(const uint64_t offset, ReplayUntil(segment, &reader, end));
    if (offset == end) return absl::OkStatus();
    return Damaged(segment, offset, fmt::format("its records should go on to {}", end));
  }

  absl::Status ReplayLast(Segment* segment) {
    RecordReader reader(segment);
    ASSIGN_OR_RETURN(out_.end, ReplayUntil(*segment, &reader, segment->file_size));
    RETURN_IF_ERROR(WipeBeyond(segment, &reader));
    const std::string marker = JoinPath(dir_, kFailedMarker);
    const bool failed = fs_->Exists(marker);
    if (failed) RETURN_IF_ERROR(WriteAgain(segment));
    // After a crash of the process alone, the last records may be in the page cache only.
    RETURN_IF_ERROR(segment->file->Sync());
    return failed ? fs_->Remove(marker) : absl::OkStatus();
  }

  // A failed sync leaves pages that pass for clean and yet are not on the disk: another sync alone
  // would not bring them there.  Only then: a crash while writing might damage what is there.
  absl::Status WriteAgain(Segment* segment) {
    if (proven_end_ >= out_.end) return absl::OkStatus();
    std::string bytes(out_.end - proven_end_, '\0');
    ASSIGN_OR_RETURN(const size_t n,
                     segment->file->ReadAt(proven_end_, bytes.data(), bytes.size()));
    bytes.resize(n);
    return segment->file->WriteAt(proven_end_, bytes);
  }

  // Unsynced records beyond a torn one may be whole.  They must not come back to life when new
  // records fill the hole before them.
  absl::Status WipeBeyond(Segment* segment, RecordReader* reader) {
    for (uint64_t offset = out_.end; offset < segment->file_size; offset += kSector) {
      ASSIGN_OR_RETURN(const auto record, reader->RecordAt(offset));
      if (!record) continue;
      if (DecodeRecordHeader(*record).durable_end > out_.end) {
        return Damaged(*segment, out_.end,
                       fmt::format("a later record at {} proves that it was once durable", offset));
      }
      RETURN_IF_ERROR(segment->file->WriteAt(offset, std::string(kRecordHeaderSize, '\0')));
    }
    return absl::OkStatus();
  }

  FileSystem* const fs_;
  const std::string& dir_;
  Recovered out_;
  uint64_t proven_end_ = 0;  // How far the last record read says its segment was durable.
};

}  // namespace

absl::StatusOr<Recovered> Recover(FileSystem* fs, const std::string& dir) {
  return Recovery(fs, dir).Run();
}

}  // namespace tikv::raftlog
