#include "lib/raftlog/tail_cache.h"

#include <algorithm>
#include <tuple>

namespace tikv::raftlog {
namespace {

constexpr size_t kMaxSpareBuffer = 1 << 20;

}  // namespace

void TailCache::Insert(uint32_t segment, uint64_t offset, std::string record) {
  bytes_ += record.capacity();
  records_.push_back({segment, offset, std::move(record)});
  while (bytes_ > max_bytes_) EvictFront();
}

void TailCache::EvictFront() {
  std::string& bytes = records_.front().bytes;
  bytes_ -= bytes.capacity();
  if (bytes.capacity() > spare_.capacity() && bytes.capacity() <= kMaxSpareBuffer) {
    spare_ = std::move(bytes);
  }
  records_.pop_front();
}

std::string_view TailCache::Find(uint32_t segment, uint64_t offset, uint64_t size) const {
  auto it = std::upper_bound(
      records_.begin(), records_.end(), std::tuple(segment, offset),
      [](const auto& place, const Record& r) { return place < std::tuple(r.segment, r.offset); });
  if (it == records_.begin()) return {};
  --it;
  if (it->segment != segment || offset - it->offset + size > it->bytes.size()) return {};
  return std::string_view(it->bytes).substr(offset - it->offset, size);
}

}  // namespace tikv::raftlog
