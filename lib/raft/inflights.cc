#include "lib/raft/inflights.h"

#include "lib/base/check.h"

namespace tikv::raft {

void Inflights::Add(uint64_t last_index, uint64_t bytes) {
  CHECK(!full()) << "append sent beyond the window";
  queue_.push_back({last_index, bytes});
  bytes_ += bytes;
}

void Inflights::FreeTo(uint64_t index) {
  while (head_ < queue_.size() && queue_[head_].last_index <= index) {
    bytes_ -= queue_[head_].bytes;
    ++head_;
  }
  if (head_ == queue_.size()) {
    Clear();
  } else if (head_ > queue_.size() / 2) {  // amortised: each item moves at most twice
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Inflights::Clear() {
  constexpr size_t kKeep = 4;
  if (queue_.capacity() > kKeep) {
    std::vector<Item>().swap(queue_);
  } else {
    queue_.clear();
  }
  head_ = 0;
  bytes_ = 0;
}

}  // namespace tikv::raft
