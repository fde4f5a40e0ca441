// The RPCs between stores: Raft, BatchRaft and Snapshot of tikvpb.Tikv.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "lib/base/strong_id.h"
#include "lib/log/logger.h"
#include "lib/rpc/server.h"
#include "proto/raft_serverpb.pb.h"
#include "server/raftstore/transport/snapshot_receiver.h"

namespace tikv::server {

// Where what was received goes.  Thread-safe, must not block.
struct RaftServiceSinks {
  std::function<void(std::vector<raft_serverpb::RaftMessage>)> messages;
  std::shared_ptr<SnapshotReceiver> snapshots;
};

// A message for another store ends its stream with INVALID_ARGUMENT: the sender has an old address
// and asks PD again.  Before rpc::Server::Listen.
void RegisterRaftService(rpc::Server* server, StoreId store, RaftServiceSinks sinks,
                         log::Logger log);

}  // namespace tikv::server
