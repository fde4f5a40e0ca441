// The work of a store that must not run on the raft thread: plain functions over the engine.
#pragma once

#include <absl/status/status.h>

#include <string>

#include "server/raftstore/config.h"
#include "server/raftstore/store/store_output.h"

namespace tikv::engine {
class KvEngine;
}

namespace tikv::server {

// Deletes the old and the new range, ingests the files and writes region and apply state, durably.
// Until then the region state says Applying, so that a crash anywhere starts the replica over.
absl::Status InstallSnapshot(engine::KvEngine* engine, const InstallTask& task);

// User keys; "" = no bound.
absl::Status DeleteUserData(engine::KvEngine* engine, const std::string& start,
                            const std::string& end);

SplitCheckResult RunSplitCheck(const engine::KvEngine& engine, const RaftStoreConfig& config,
                               const SplitCheckTask& task);

// Where a region may be cut so that `data_key` begins a part: without the timestamp that follows
// the encoded keys of transactions, so that all versions of a key stay together.
std::string SplitBoundary(std::string_view data_key);

}  // namespace tikv::server
