#include "lib/raftlog/segment.h"

#include <charconv>

#include "lib/base/status.h"

namespace tikv::raftlog {
namespace {

constexpr std::string_view kSuffix = ".raftlog";
constexpr std::string_view kSparePrefix = "spare-";
constexpr size_t kDigits = 16;
constexpr uint64_t kWindow = 1 << 20;

}  // namespace

std::string SegmentName(uint32_t sequence) { return fmt::format("{:016x}{}", sequence, kSuffix); }
std::string SpareName(uint32_t sequence) {
  return fmt::format("{}{:016x}", kSparePrefix, sequence);
}
bool IsSpareName(std::string_view name) {
  return name.substr(0, kSparePrefix.size()) == kSparePrefix;
}

std::optional<uint32_t> ParseSegmentName(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || name.substr(kDigits) != kSuffix) {
    return std::nullopt;
  }
  uint32_t sequence = 0;
  const char* end = name.data() + kDigits;
  const auto [p, error] = std::from_chars(name.data(), end, sequence, 16);
  if (error != std::errc() || p != end || sequence == 0) return std::nullopt;
  return sequence;
}

absl::StatusOr<Segment> OpenSegment(FileSystem* fs, const std::string& dir, uint32_t sequence) {
  Segment segment{.sequence = sequence, .path = JoinPath(dir, SegmentName(sequence))};
  ASSIGN_OR_RETURN(segment.file, fs->Open(segment.path, OpenOptions::Write()));
  ASSIGN_OR_RETURN(segment.file_size, segment.file->Size());
  std::string bytes(kFirstRecord, '\0');
  ASSIGN_OR_RETURN(const size_t n, segment.file->ReadAt(0, bytes.data(), bytes.size()));
  bytes.resize(n);
  const auto header = DecodeSegmentHeader(bytes);
  if (!header || header->sequence != sequence) {
    return DataLoss("raft log {} is damaged at offset 0: not the header of segment {}",
                    segment.path, sequence);
  }
  segment.header = *header;
  return segment;
}

absl::Status CreateSegment(FileSystem* fs, const std::string& dir, const std::string& spare_path,
                           uint64_t size, Segment* segment) {
  const std::string temporary =
      spare_path.empty() ? JoinPath(dir, SpareName(segment->sequence)) : spare_path;
  segment->path = JoinPath(dir, SegmentName(segment->sequence));
  ASSIGN_OR_RETURN(segment->file, fs->Open(temporary, OpenOptions::Create()));
  RETURN_IF_ERROR(segment->file->Allocate(size));
  RETURN_IF_ERROR(segment->file->WriteAt(0, EncodeSegmentHeader(segment->header)));
  RETURN_IF_ERROR(segment->file->Sync());
  ASSIGN_OR_RETURN(segment->file_size, segment->file->Size());
  RETURN_IF_ERROR(fs->Rename(temporary, segment->path));
  return fs->SyncDir(dir);  // Before anything in it is acknowledged.
}

absl::StatusOr<std::string_view> RecordReader::Bytes(uint64_t offset, uint64_t size) {
  const uint64_t end = std::min(offset + size, segment_->file_size);
  if (offset >= end) return std::string_view();
  if (offset < window_offset_ || end > window_offset_ + window_.size()) {
    window_.resize(std::min(std::max(end - offset, kWindow), segment_->file_size - offset));
    window_offset_ = offset;
    ASSIGN_OR_RETURN(const size_t n,
                     segment_->file->ReadAt(offset, window_.data(), window_.size()));
    window_.resize(n);
  }
  return std::string_view(window_).substr(offset - window_offset_, end - offset);
}

absl::StatusOr<std::optional<std::string_view>> RecordReader::RecordAt(uint64_t offset) {
  ASSIGN_OR_RETURN(const std::string_view head, Bytes(offset, kRecordHeaderSize));
  if (head.size() < kRecordHeaderSize) return std::nullopt;
  const RecordHeader header = DecodeRecordHeader(head);
  const uint64_t size = kRecordHeaderSize + uint64_t{header.payload_size};
  if (header.magic != RecordMagic(segment_->header.salt) || size > kMaxRecordSize) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const std::string_view record, Bytes(offset, size));
  if (record.size() < size || !ChecksumMatches(record, segment_->header.salt)) return std::nullopt;
  return record;
}

}  // namespace tikv::raftlog
