// RaftSender: Raft messages to the other stores, batched per store and round.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/log/logger.h"
#include "lib/rpc/channel.h"
#include "proto/raft_serverpb.pb.h"
#include "server/raftstore/transport/store_addresses.h"

namespace tikv::server {

// Lives on the raft thread (`strand`).  One BatchRaft stream per store, opened when there is
// something to say, its address asked of PD each time.  Messages may be lost: when no stream
// stands, when its queue is full, when it breaks; Raft repeats what matters.
class RaftSender {
 public:
  // `on_unreachable` hears, at most once a second per store, that messages to it were lost.
  // Everything given must outlive this object.
  RaftSender(rpc::ChannelPool* channels, StoreAddresses* addresses, Executor* strand, Clock* clock,
             log::Logger log, std::function<void(StoreId)> on_unreachable);
  ~RaftSender();

  void Send(raft_serverpb::RaftMessage message);
  // Hands what was sent since the last call to the streams.
  void Flush();

 private:
  struct Connection;
  class Handler;

  void Open(StoreId store, const std::shared_ptr<Connection>& connection);
  void OnAddress(StoreId store, const std::shared_ptr<Connection>& connection,
                 absl::StatusOr<std::string> address);
  void OnClosed(StoreId store, const std::shared_ptr<Connection>& connection,
                const absl::Status& status);
  void FlushTo(StoreId store, const std::shared_ptr<Connection>& connection);
  void Lost(StoreId store, Connection* connection);

  rpc::ChannelPool* channels_;
  StoreAddresses* addresses_;
  Executor* strand_;
  Clock* clock_;
  log::Logger log_;
  std::function<void(StoreId)> on_unreachable_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<Connection>> connections_;
  std::vector<uint64_t> pending_;  // Stores with unflushed messages.
};

}  // namespace tikv::server
