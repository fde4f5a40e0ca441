// From the configuration to what engine, raft log and regions want to be told.
#pragma once

#include "lib/engine/rocks/rocks_engine.h"
#include "lib/env/file_system.h"
#include "lib/raftlog/raft_log.h"
#include "server/node/config.h"
#include "server/raftstore/config.h"

namespace tikv::server {

engine::RocksOptions RocksOptionsOf(const NodeConfig& config, FileSystem* files);
raftlog::Options RaftLogOptionsOf(const NodeConfig& config);
RaftStoreConfig RaftStoreConfigOf(const NodeConfig& config);

}  // namespace tikv::server
