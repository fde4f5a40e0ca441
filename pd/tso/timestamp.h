// The timestamps of a cluster: physical milliseconds and a logical counter.
#pragma once

#include <compare>
#include <cstdint>

namespace tikv::pd::tso {

inline constexpr int kLogicalBits = 18;
inline constexpr int64_t kMaxLogical = int64_t{1} << kLogicalBits;

// One timestamp; composed it is what clients compare and store.
struct Timestamp {
  int64_t physical = 0;  // Milliseconds since 1970.
  int64_t logical = 0;   // Below kMaxLogical.

  constexpr uint64_t Compose() const {
    return (static_cast<uint64_t>(physical) << kLogicalBits) + static_cast<uint64_t>(logical);
  }
  static constexpr Timestamp Decompose(uint64_t ts) {
    return {static_cast<int64_t>(ts >> kLogicalBits), static_cast<int64_t>(ts & (kMaxLogical - 1))};
  }
  friend constexpr auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

}  // namespace tikv::pd::tso
