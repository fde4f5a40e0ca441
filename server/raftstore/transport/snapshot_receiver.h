// SnapshotReceiver: incoming snapshots, from the stream to checked files on disk.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "lib/engine/engine.h"
#include "lib/env/executor.h"
#include "lib/env/file_system.h"
#include "lib/log/logger.h"
#include "lib/rpc/typed.h"
#include "proto/raft_serverpb.pb.h"
#include "server/raftstore/config.h"
#include "server/raftstore/snapshot/chunks.h"

namespace tikv::server {

// Thread-safe.  Streams run on rpc loops, files are written on `disk` (a strand that may block).
// A sender that is faster than the disk is paused.
class SnapshotReceiver : public std::enable_shared_from_this<SnapshotReceiver> {
 public:
  using Deliver = std::function<void(raft_serverpb::RaftMessage, std::shared_ptr<SnapshotFiles>)>;

  // Asks the store whether it would take the snapshot; answered on any thread.
  using Precheck = std::function<void(raft_serverpb::RaftMessage, Callback<bool>)>;

  // `deliver` runs on `disk`, once a snapshot is complete.  Everything given must outlive it.
  SnapshotReceiver(engine::KvEngine* engine, FileSystem* fs, Executor* disk,
                   const RaftStoreConfig& config, Deliver deliver, Precheck precheck,
                   log::Logger log);

  // One snapshot being received; calls come from its stream's loop.
  class Session : public std::enable_shared_from_this<Session> {
   public:
    Session(std::shared_ptr<SnapshotReceiver> owner, raft_serverpb::RaftMessage message,
            rpc::TypedStream<raft_serverpb::Done> stream, std::unique_ptr<SnapshotBuilder> builder);
    ~Session();

    void Add(std::string chunk);
    void End();
    void Abandon() { failed_ = true; }
    // On `disk`.
    void Fail(const absl::Status& status);

   private:
    void Write(const std::string& chunk);
    void Complete();

    std::shared_ptr<SnapshotReceiver> owner_;
    raft_serverpb::RaftMessage message_;
    rpc::TypedStream<raft_serverpb::Done> stream_;
    std::unique_ptr<SnapshotBuilder> builder_;  // On `disk`.
    std::atomic<bool> failed_{false};
    std::atomic<size_t> queued_bytes_{0};
  };

  // ResourceExhausted: as many as allowed are under way.  InvalidArgument: no snapshot message.
  absl::StatusOr<std::shared_ptr<Session>> Begin(const raft_serverpb::RaftMessage& message,
                                                 rpc::TypedStream<raft_serverpb::Done> stream);
  // How many may be under way from now on.
  void SetLimit(size_t max_sessions) { max_sessions_ = max_sessions; }
  // A full disk takes none.
  void Refuse(bool refuse) { refuse_ = refuse; }
  size_t sessions() const { return sessions_; }
  // Removes what an earlier process left behind.
  absl::Status CleanFolder();

 private:
  engine::KvEngine* engine_;
  FileSystem* fs_;
  Executor* disk_;
  const std::string dir_;
  std::atomic<size_t> max_sessions_;
  Deliver deliver_;
  Precheck precheck_;
  log::Logger log_;
  std::atomic<bool> refuse_{false};
  std::atomic<size_t> sessions_{0};
  std::atomic<uint64_t> next_{1};
};

}  // namespace tikv::server
