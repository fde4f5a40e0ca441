// When a server that ended may start again.
#pragma once

#include <algorithm>
#include <chrono>

namespace tikv::client {

// Waits double from one second to half a minute while the server ends soon after each start, and
// begin anew once it has lived for a minute.  Not thread-safe.
class RestartBackoff {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kFirst{1}, kCap{30}, kLongLife{60};

  void Started(Time now) { started_ = now; }
  // How long to wait now that it has ended.
  std::chrono::seconds Ended(Time now) {
    if (now - started_ >= kLongLife) next_ = kFirst;
    const std::chrono::seconds wait = next_;
    next_ = std::min(next_ * 2, kCap);
    restart_ = now + wait;
    return wait;
  }
  bool Due(Time now) const { return now >= restart_; }

 private:
  Time started_{}, restart_{};
  std::chrono::seconds next_ = kFirst;
};

}  // namespace tikv::client
