// Timers of one loop: a binary heap whose entries know their place, so that cancelling is cheap and
// leaves nothing behind.  (A deadline that stays queued until it expires would pin its call.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tikv::rpc {

// Embedded in what it belongs to.  REQUIRES: cancelled before it is destroyed.
class Timer {
 public:
  virtual ~Timer() = default;
  virtual void OnTimer() = 0;

  bool armed() const { return index_ != kNotArmed; }

 private:
  friend class TimerHeap;
  static constexpr size_t kNotArmed = SIZE_MAX;
  int64_t due_ns_ = 0;
  size_t index_ = kNotArmed;
};

// Not thread-safe.
class TimerHeap {
 public:
  // Arms `timer`, again if it was armed already.
  void Set(Timer* timer, int64_t due_ns) {
    if (!timer->armed()) {
      timer->index_ = heap_.size();
      heap_.push_back(timer);
    }
    timer->due_ns_ = due_ns;
    Down(Up(timer->index_));
  }

  void Cancel(Timer* timer) {
    if (!timer->armed()) return;
    size_t hole = timer->index_;
    timer->index_ = Timer::kNotArmed;
    Timer* last = heap_.back();
    heap_.pop_back();
    if (last == timer) return;
    Place(last, hole);
    Down(Up(hole));
  }

  // INT64_MAX when there is none.
  int64_t next_due_ns() const { return heap_.empty() ? INT64_MAX : heap_[0]->due_ns_; }

  // Calls OnTimer of all that are due.
  void Fire(int64_t now_ns) {
    while (next_due_ns() <= now_ns) {
      Timer* timer = heap_[0];
      Cancel(timer);
      timer->OnTimer();
    }
  }

 private:
  void Place(Timer* timer, size_t i) {
    heap_[i] = timer;
    timer->index_ = i;
  }
  size_t Up(size_t i) {
    Timer* timer = heap_[i];
    for (; i > 0 && timer->due_ns_ < heap_[(i - 1) / 2]->due_ns_; i = (i - 1) / 2) {
      Place(heap_[(i - 1) / 2], i);
    }
    Place(timer, i);
    return i;
  }
  void Down(size_t i) {
    Timer* timer = heap_[i];
    for (;;) {
      size_t child = 2 * i + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1]->due_ns_ < heap_[child]->due_ns_) ++child;
      if (heap_[child]->due_ns_ >= timer->due_ns_) break;
      Place(heap_[child], i);
      i = child;
    }
    Place(timer, i);
  }

  std::vector<Timer*> heap_;
};

}  // namespace tikv::rpc
