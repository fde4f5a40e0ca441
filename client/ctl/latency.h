// A histogram of latencies with a bounded error.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace tikv::client {

// Buckets of 1/32 of a power of two: percentiles are at most 3.2 % too high.  Not thread-safe.
class Latencies {
 public:
  void Add(std::chrono::nanoseconds latency);
  void Merge(const Latencies& other);
  uint64_t count() const { return count_; }
  // The latency that `fraction` (0.99) of all stayed at or below; 0 when there are none.
  std::chrono::nanoseconds Percentile(double fraction) const;

 private:
  static constexpr int kSteps = 32;
  static size_t Bucket(uint64_t nanos);
  static uint64_t UpperBound(size_t bucket);

  std::array<uint64_t, 64 * kSteps> buckets_{};
  uint64_t count_ = 0;
};

}  // namespace tikv::client
