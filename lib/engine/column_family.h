// The column families of a store, as the original names them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tikv::engine {

// The numbers are on disk (RocksDB assigns them in order of creation).
enum class Cf : uint8_t { kDefault = 0, kLock = 1, kWrite = 2, kRaft = 3 };

inline constexpr size_t kCfCount = 4;
inline constexpr std::array<Cf, kCfCount> kAllCfs = {Cf::kDefault, Cf::kLock, Cf::kWrite,
                                                     Cf::kRaft};
// What a region's data lives in; `raft` holds the store's own records.
inline constexpr std::array<Cf, 3> kDataCfs = {Cf::kDefault, Cf::kLock, Cf::kWrite};

constexpr std::string_view CfName(Cf cf) {
  constexpr std::array<std::string_view, kCfCount> names = {"default", "lock", "write", "raft"};
  return names[static_cast<size_t>(cf)];
}

// "" means default, as on the wire.
constexpr std::optional<Cf> CfByName(std::string_view name) {
  if (name.empty()) return Cf::kDefault;
  for (Cf cf : kAllCfs) {
    if (CfName(cf) == name) return cf;
  }
  return std::nullopt;
}

}  // namespace tikv::engine
