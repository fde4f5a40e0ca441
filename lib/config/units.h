// Sizes and durations as people write them in configuration files.
#pragma once

#include <absl/status/statusor.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/env/clock.h"

namespace tikv::config {

// A number of bytes.  Units are powers of 1024 with or without the "i", as TiKV and PD take them.
struct Size {
  uint64_t bytes = 0;

  static constexpr Size KiB(uint64_t n) { return {n << 10}; }
  static constexpr Size MiB(uint64_t n) { return {n << 20}; }
  static constexpr Size GiB(uint64_t n) { return {n << 30}; }
  friend constexpr auto operator<=>(Size, Size) = default;
};

// "96MiB", "1.5 GB", "512", "100B"; InvalidArgument for anything else or beyond 2^63.
absl::StatusOr<Size> ParseSize(std::string_view text);
// In the largest unit that loses nothing: "96MiB", "1025B", "0KiB".
std::string FormatSize(Size size);

// How a duration is shown: TiKV's "1h30m" and "1s500ms", or Go's (PD's) "1h30m0s" and "1.5s".
enum class DurationStyle { kTikv, kGo };

// "1h30m", "1.5s", "10ms", "2d", "0s"; units d h m s ms us ns, at most once each.  InvalidArgument
// for anything else, a bare number among it, or beyond 290 years.
absl::StatusOr<Duration> ParseDuration(std::string_view text);
std::string FormatDuration(Duration duration, DurationStyle style = DurationStyle::kTikv);

}  // namespace tikv::config
