// SnapshotSender: outgoing snapshots, from the engine's snapshot to the other store's stream.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "lib/engine/engine.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/log/logger.h"
#include "lib/rpc/channel.h"
#include "proto/raft_serverpb.pb.h"
#include "server/raftstore/config.h"
#include "server/raftstore/snapshot/chunks.h"
#include "server/raftstore/transport/store_addresses.h"

namespace tikv::server {

// Lives on `strand`, which may block on the disk.  Reads as fast as the receiver takes it, below
// the configured rate; more than the allowed number wait their turn.
class SnapshotSender {
 public:
  // Success, or the reason in the log.  Runs on `strand`, once per Send.
  using Done = std::function<void(RegionId, PeerId, bool success)>;

  // Everything given must outlive this object.
  SnapshotSender(rpc::ChannelPool* channels, StoreAddresses* addresses, Executor* strand,
                 Clock* clock, const RaftStoreConfig& config, Done done, log::Logger log);
  ~SnapshotSender();

  // On `strand`.
  void Send(raft_serverpb::RaftMessage message, std::shared_ptr<const engine::Snapshot> data);
  // On `strand`.
  void SetLimits(size_t max_active, uint64_t bytes_per_second);

 private:
  class Transfer;

  void StartNext();
  void Finished(const std::shared_ptr<Transfer>& transfer, const absl::Status& status);
  // How long to wait before `bytes` more may be sent; zero = now, and they are counted.
  Duration Admit(size_t bytes);

  rpc::ChannelPool* channels_;
  StoreAddresses* addresses_;
  Executor* strand_;
  Clock* clock_;
  size_t max_active_;
  double bytes_per_second_;
  Done done_;
  log::Logger log_;
  std::deque<std::shared_ptr<Transfer>> waiting_;
  size_t active_ = 0;
  double allowance_ = 0;
  MonotonicTime refilled_;
};

}  // namespace tikv::server
