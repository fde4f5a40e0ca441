// One segment file: its names, its header, and reading its records.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lib/env/file_system.h"
#include "lib/raftlog/format.h"

namespace tikv::raftlog {

std::string SegmentName(uint32_t sequence);  // "000000000000001f.raftlog"
std::optional<uint32_t> ParseSegmentName(std::string_view name);
std::string SpareName(uint32_t sequence);  // Of an emptied file, by the number it last had.
bool IsSpareName(std::string_view name);

// An open segment file.
struct Segment {
  uint32_t sequence = 0;
  std::string path;
  std::unique_ptr<File> file;
  SegmentHeader header;
  uint64_t file_size = 0;
};

// Opens an existing segment.  DataLoss when its header is not that of `sequence`.
absl::StatusOr<Segment> OpenSegment(FileSystem* fs, const std::string& dir, uint32_t sequence);

// Makes `segment` (sequence and header set) durable in the folder, from `spare_path` if not empty.
// Takes the name only once the header is durable: a segment with a bad header is never a crash.
absl::Status CreateSegment(FileSystem* fs, const std::string& dir, const std::string& spare_path,
                           uint64_t size, Segment* segment);

// Reads records through a window of about a megabyte, whatever the size of the file.
class RecordReader {
 public:
  // `segment` must outlive the reader.
  explicit RecordReader(const Segment* segment) : segment_(segment) {}

  // The valid record at `offset` (header and payload), or nullopt if there is none.  The view lives
  // until the next call.
  absl::StatusOr<std::optional<std::string_view>> RecordAt(uint64_t offset);

 private:
  // Up to `size` bytes from `offset` on; fewer at the end of the file.
  absl::StatusOr<std::string_view> Bytes(uint64_t offset, uint64_t size);

  const Segment* const segment_;
  std::string window_;
  uint64_t window_offset_ = 0;
};

}  // namespace tikv::raftlog
