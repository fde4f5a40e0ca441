// How a region begins, and what the engine remembers of one.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/base/strong_id.h"
#include "proto/raft_serverpb.pb.h"
#include "server/raftstore/apply/applier.h"

namespace tikv::engine {
class Reader;
}

namespace tikv::server {

// A new region's log begins behind this entry, which never existed: so a replica without data
// cannot be mistaken for one that has seen everything from the beginning.
inline constexpr uint64_t kInitialIndex = 5;
inline constexpr uint64_t kInitialTerm = 5;
inline constexpr ApplyState kInitialApplyState{kInitialIndex, kInitialIndex, kInitialTerm};

// nullopt: never heard of, or damaged beyond parsing.
std::optional<raft_serverpb::RegionLocalState> ReadRegionState(const engine::Reader& engine,
                                                               RegionId region);
std::optional<ApplyState> ReadApplyState(const engine::Reader& engine, RegionId region);

}  // namespace tikv::server
