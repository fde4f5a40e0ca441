// The appends on their way to one follower.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tikv::raft {

// A window bounded in messages and bytes.  Empty it holds no memory worth naming: most peers of a
// store are idle.
class Inflights {
 public:
  // max_bytes 0: no limit on bytes.  One message more than max_bytes may be under way: the limit
  // is looked at before it is sent.
  Inflights(size_t max_messages, uint64_t max_bytes)
      : max_messages_(max_messages), max_bytes_(max_bytes) {}

  // REQUIRES: !full(); last_index grows from call to call.
  void Add(uint64_t last_index, uint64_t bytes);
  // Messages that end at or before `index` have arrived.
  void FreeTo(uint64_t index);
  void Clear();

  size_t size() const { return queue_.size() - head_; }
  bool full() const { return size() >= max_messages_ || (max_bytes_ != 0 && bytes_ >= max_bytes_); }

 private:
  struct Item {
    uint64_t last_index;
    uint64_t bytes;
  };

  size_t max_messages_;
  uint64_t max_bytes_;
  uint64_t bytes_ = 0;
  size_t head_ = 0;  // items before it are free
  std::vector<Item> queue_;
};

}  // namespace tikv::raft
