// Durations as the configuration writes them: "1h30m0s", "10ms".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tikv::pd {

// Nanoseconds as text: 90 s is "1m30s", 1.5 s is "1.5s", 0 is "0s".
std::string FormatDuration(int64_t nanos);
// The inverse; units ns, us, ms, s, m, h, d.  nullopt for anything else or beyond 64 bits.
std::optional<int64_t> ParseDuration(std::string_view text);
// Wall time as RFC 3339 in UTC, nanoseconds without trailing zeros: "2026-01-02T03:04:05.6Z".
std::string FormatTime(int64_t unix_nanos);

}  // namespace tikv::pd
