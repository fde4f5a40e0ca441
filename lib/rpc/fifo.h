// A queue that costs nothing while it is empty, unlike std::deque: a connection has several.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace tikv::rpc {

// First in, first out.  Not thread-safe.
template <class T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  T& front() { return items_[head_]; }
  void Push(T item) {
    if (head_ > kCompact && head_ * 2 > items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<long>(head_));
      head_ = 0;
    }
    items_.push_back(std::move(item));
  }
  T Pop() {
    T item = std::move(items_[head_++]);
    if (empty()) Clear();
    return item;
  }
  void Clear() {
    items_ = {};
    head_ = 0;
  }

 private:
  static constexpr size_t kCompact = 32;

  std::vector<T> items_;
  size_t head_ = 0;
};

}  // namespace tikv::rpc
