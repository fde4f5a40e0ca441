// The tail of the log in memory: the records written last, as they were written.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace tikv::raftlog {

// Bounded by bytes; the oldest record goes first.  Costs nothing per entry: a reader finds the
// record by its place and the entry within it.  Not thread-safe.
class TailCache {
 public:
  explicit TailCache(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // REQUIRES: (segment, offset) beyond every record inserted before.
  void Insert(uint32_t segment, uint64_t offset, std::string record);
  // The bytes [offset, offset + size) of the segment, or an empty view when they are not here.
  std::string_view Find(uint32_t segment, uint64_t offset, uint64_t size) const;
  // The memory of an evicted record, for the next batch; may be empty.
  std::string TakeSpareBuffer() { return std::move(spare_); }

  uint64_t bytes() const { return bytes_; }

 private:
  struct Record {
    uint32_t segment;
    uint64_t offset;
    std::string bytes;
  };
  void EvictFront();

  const uint64_t max_bytes_;
  std::deque<Record> records_;  // Ascending by place.
  uint64_t bytes_ = 0;
  std::string spare_;
};

}  // namespace tikv::raftlog
