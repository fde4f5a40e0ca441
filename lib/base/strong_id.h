// Strong integer ids: a StoreId is not a RegionId.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>

namespace tikv {

// `struct StoreTag; using StoreId = StrongId<StoreTag>;`  0 means "none", as on the wire.
template <class Tag>
struct StrongId {
  uint64_t value = 0;

  constexpr StrongId() = default;
  constexpr explicit StrongId(uint64_t v) : value(v) {}
  constexpr explicit operator bool() const { return value != 0; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
  friend std::ostream& operator<<(std::ostream& os, StrongId id) { return os << id.value; }
};

using ClusterId = StrongId<struct ClusterTag>;
using StoreId = StrongId<struct StoreTag>;
using RegionId = StrongId<struct RegionTag>;
using PeerId = StrongId<struct PeerTag>;

}  // namespace tikv

template <class Tag>
struct std::hash<tikv::StrongId<Tag>> {
  size_t operator()(tikv::StrongId<Tag> id) const noexcept {
    return std::hash<uint64_t>()(id.value);
  }
};
