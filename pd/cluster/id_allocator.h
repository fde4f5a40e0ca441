// The sequence that store, region and peer ids come from.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <optional>

#include "lib/base/callback.h"

namespace tikv::pd {

// Hands out ids below a persisted bound.  Pure: the owner persists new bounds and says when they
// are durable.  Not thread-safe.  A new leader continues behind the last bound, so ids of a lost
// window are never given twice.
class IdAllocator {
 public:
  static constexpr uint64_t kWindow = 1000;
  using Done = Callback<absl::StatusOr<uint64_t>>;

  // `bound`: what is persisted, 0 when nothing is.
  void Reset(uint64_t bound);
  // The last of `count` ids in a row, or nullopt when the window does not hold that many.
  std::optional<uint64_t> TryTake(uint64_t count);
  // Waits for the next window, after those that wait already.
  void Wait(uint64_t count, Done done) { waiting_.push_back({count, std::move(done)}); }
  // The bound to persist next, when one is needed and none is on its way.
  std::optional<uint64_t> BoundToPersist();
  // The bound is durable; runs the callbacks that it satisfies.
  void OnPersisted(uint64_t bound);
  // Persisting failed or leadership is over: fails all that wait.
  void Fail(const absl::Status& why);
  // Raises the sequence above `base` (restore from backup).
  void RaiseTo(uint64_t base);
  uint64_t bound() const { return bound_; }

 private:
  struct Waiter {
    uint64_t count;
    Done done;
  };
  uint64_t last_ = 0;   // Given out.
  uint64_t bound_ = 0;  // May be given out: durable.
  bool persisting_ = false;
  std::deque<Waiter> waiting_;
};

}  // namespace tikv::pd
