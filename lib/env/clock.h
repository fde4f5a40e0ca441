// Time as a port.  Monotonic and wall time are distinct types: a duration is the difference of two
// times of the same kind, never a mix.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace tikv {

using Duration = std::chrono::nanoseconds;

// Nanoseconds since an arbitrary start; never goes back within a process.
struct MonotonicTime {
  int64_t nanos = 0;

  static constexpr MonotonicTime Max() { return {INT64_MAX}; }
  friend constexpr auto operator<=>(MonotonicTime, MonotonicTime) = default;
  friend constexpr Duration operator-(MonotonicTime a, MonotonicTime b) {
    return Duration(a.nanos - b.nanos);
  }
  friend constexpr MonotonicTime operator+(MonotonicTime t, Duration d) {
    return {t.nanos + d.count()};
  }
  friend constexpr MonotonicTime operator-(MonotonicTime t, Duration d) {
    return {t.nanos - d.count()};
  }
};

// Nanoseconds since 1970-01-01 UTC; may step in either direction.
struct WallTime {
  int64_t nanos = 0;

  constexpr int64_t millis() const { return nanos / 1'000'000; }
  constexpr int64_t seconds() const { return nanos / 1'000'000'000; }
  friend constexpr auto operator<=>(WallTime, WallTime) = default;
  friend constexpr Duration operator-(WallTime a, WallTime b) {
    return Duration(a.nanos - b.nanos);
  }
  friend constexpr WallTime operator+(WallTime t, Duration d) { return {t.nanos + d.count()}; }
  friend constexpr WallTime operator-(WallTime t, Duration d) { return {t.nanos - d.count()}; }
};

// Thread-safe.  Not to be owned by its users: one per process (or per simulated node).
class Clock {
 public:
  virtual ~Clock() = default;

  // Exact, about 25 ns.  Not slewed by NTP (CLOCK_MONOTONIC_RAW), as leases need it.
  virtual MonotonicTime Now() = 0;
  // The same kind of time, cheaper, up to 10 ms late.  Not comparable with Now(): another clock of
  // the kernel.
  virtual MonotonicTime CoarseNow() = 0;
  virtual WallTime Wall() = 0;
};

}  // namespace tikv
