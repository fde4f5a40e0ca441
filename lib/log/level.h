// Log levels, by TiKV's names.
#pragma once

#include <optional>
#include <string_view>

namespace tikv::log {

enum class Level : int { kDebug = 0, kInfo, kWarn, kError, kFatal };

// "debug", "info", "warn", "error", "fatal": as configuration and the HTTP interface spell them.
std::string_view LevelName(Level level);
// Those names and the aliases "trace", "warning", "critical", in any case.
std::optional<Level> ParseLevel(std::string_view name);

}  // namespace tikv::log
