// Seeded randomness.  The seed is the port: the same seed and name replay the same numbers, and
// components with different names never disturb each other's stream.
#pragma once

#include <cstdint>
#include <string_view>

namespace tikv {

// xoshiro256** seeded from hash(seed, name).  Not thread-safe; not for secrets.
class Random {
 public:
  explicit Random(uint64_t seed, std::string_view name = {});

  uint64_t Next();
  // Uniform in [0, n).  REQUIRES: n > 0.
  uint64_t Uniform(uint64_t n);
  // Uniform in [low, high], both included.  REQUIRES: low <= high.
  uint64_t Between(uint64_t low, uint64_t high);
  // Uniform in [0, 1).
  double Fraction();
  // True once in n on average.  REQUIRES: n > 0.
  bool OneIn(uint64_t n) { return Uniform(n) == 0; }

 private:
  uint64_t state_[4];
};

}  // namespace tikv
