#include "client/ctl/latency.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tikv::client {

// Below kSteps a bucket is one nanosecond; above, the power of two and the next five bits.
size_t Latencies::Bucket(uint64_t nanos) {
  if (nanos < kSteps) return nanos;
  const int shift = std::bit_width(nanos) - 6;
  return static_cast<size_t>(shift + 1) * kSteps + ((nanos >> shift) - kSteps);
}

uint64_t Latencies::UpperBound(size_t bucket) {
  if (bucket < kSteps) return bucket;
  const size_t shift = bucket / kSteps - 1;
  return ((bucket % kSteps + kSteps + 1) << shift) - 1;
}

void Latencies::Add(std::chrono::nanoseconds latency) {
  ++buckets_[Bucket(static_cast<uint64_t>(std::max<int64_t>(latency.count(), 0)))];
  ++count_;
}

void Latencies::Merge(const Latencies& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
}

std::chrono::nanoseconds Latencies::Percentile(double fraction) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) return std::chrono::nanoseconds(UpperBound(i));
  }
  return std::chrono::nanoseconds(0);
}

}  // namespace tikv::client
