// A rate with a burst.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tikv::rpc {

// Not thread-safe.
class TokenBucket {
 public:
  TokenBucket(uint64_t burst, uint64_t per_second)
      : burst_(static_cast<double>(burst)), per_ns_(per_second / 1e9), tokens_(burst_) {}

  // False when there is no token left.
  bool Take(int64_t now_ns) {
    if (tokens_ < 1) {
      tokens_ = std::min(burst_, tokens_ + static_cast<double>(now_ns - refilled_ns_) * per_ns_);
      refilled_ns_ = now_ns;
      if (tokens_ < 1) return false;
    }
    --tokens_;
    return true;
  }
  void Give(double n) { tokens_ = std::min(burst_, tokens_ + n); }
  // With this share of the burst.
  void Start(int64_t now_ns, double share) {
    tokens_ = burst_ * share;
    refilled_ns_ = now_ns;
  }

 private:
  const double burst_;
  const double per_ns_;
  double tokens_;
  int64_t refilled_ns_ = 0;
};

}  // namespace tikv::rpc
