// A clock that stands still until it is told otherwise.
#pragma once

#include "lib/base/check.h"
#include "lib/env/clock.h"

namespace tikv::sim {

// Not thread-safe.
class ManualClock final : public Clock {
 public:
  // Starts at a wall time that looks like one.
  explicit ManualClock(WallTime start = {1'700'000'000'000'000'000}) : wall_start_(start) {}

  MonotonicTime Now() override { return now_; }
  MonotonicTime CoarseNow() override { return now_; }
  WallTime Wall() override { return wall_start_ + Duration(now_.nanos) + step_; }

  void Advance(Duration d) {
    CHECK_GE(d.count(), 0);
    now_ = now_ + d;
  }
  // As an administrator or NTP sets the time: only the wall clock notices.
  void StepWall(Duration d) { step_ += d; }

 private:
  const WallTime wall_start_;
  MonotonicTime now_{1};
  Duration step_{0};
};

}  // namespace tikv::sim
