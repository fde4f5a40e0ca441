// How long to wait before trying again.
#pragma once

#include <algorithm>

#include "lib/env/clock.h"
#include "lib/env/random.h"

namespace tikv::client {

// Doubles from `first` to `cap`, each wait drawn from its upper half, so that clients that failed
// together do not come back together.
class Backoff {
 public:
  Backoff(Duration first, Duration cap) : next_(first), cap_(cap) {}

  Duration Next(Random* random) {
    const Duration wait = next_;
    next_ = std::min(next_ * 2, cap_);
    const auto half = static_cast<uint64_t>(wait.count() / 2);
    return Duration(static_cast<int64_t>(half + random->Uniform(half + 1)));
  }

 private:
  Duration next_;
  Duration cap_;
};

}  // namespace tikv::client
