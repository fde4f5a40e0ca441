// The kernel's clocks.
#pragma once

#include "lib/env/clock.h"

namespace tikv {

// Thread-safe; has no state.
class PosixClock final : public Clock {
 public:
  MonotonicTime Now() override;
  MonotonicTime CoarseNow() override;
  WallTime Wall() override;
};

// For the one seed that a process draws at start (getrandom).
uint64_t EntropySeed();

}  // namespace tikv
