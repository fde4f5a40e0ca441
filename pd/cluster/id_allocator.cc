#include "pd/cluster/id_allocator.h"

#include <algorithm>

namespace tikv::pd {

void IdAllocator::Reset(uint64_t bound) {
  last_ = bound_ = bound;
  persisting_ = false;
}

std::optional<uint64_t> IdAllocator::TryTake(uint64_t count) {
  if (!waiting_.empty() || bound_ - last_ < count) return std::nullopt;
  last_ += count;
  return last_;
}

std::optional<uint64_t> IdAllocator::BoundToPersist() {
  uint64_t wanted = 0;
  for (const Waiter& w : waiting_) wanted += w.count;
  // Half a window ahead, so that a busy cluster rarely waits.
  if (persisting_ || bound_ - last_ >= wanted + kWindow / 2) return std::nullopt;
  persisting_ = true;
  return std::max(bound_, last_ + wanted) + kWindow;
}

void IdAllocator::OnPersisted(uint64_t bound) {
  persisting_ = false;
  bound_ = std::max(bound_, bound);
  while (!waiting_.empty() && bound_ - last_ >= waiting_.front().count) {
    Waiter w = std::move(waiting_.front());
    waiting_.pop_front();
    last_ += w.count;
    std::move(w.done)(last_);
  }
}

void IdAllocator::Fail(const absl::Status& why) {
  persisting_ = false;
  std::deque<Waiter> waiting = std::move(waiting_);
  waiting_.clear();
  for (Waiter& w : waiting) std::move(w.done)(why);
}

void IdAllocator::RaiseTo(uint64_t base) {
  last_ = std::max(last_, base);
  bound_ = std::max(bound_, base);
}

}  // namespace tikv::pd
