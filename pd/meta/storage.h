// A member's metadata on disk: log, engine, state machine, and who the member is.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/engine/engine.h"
#include "lib/env/file_system.h"
#include "lib/raftlog/raft_log.h"
#include "pd/meta/mvcc/state_machine.h"

namespace tikv::pd::meta {

// Fixed when the member first starts.
struct Identity {
  uint64_t member_id = 0;
  uint64_t raft_cluster_id = 0;  // Of etcd's response headers; not PD's cluster id.
  // The members as known at the first start, for one that joins: where to hear from.
  std::vector<etcdserverpb::Member> members;
};

using EngineFactory =
    std::function<absl::StatusOr<std::unique_ptr<engine::KvEngine>>(const std::string& dir)>;

// The layout below the data directory: meta/log (Raft log), meta/db (engine), meta/snap (received
// snapshots).  Not thread-safe; what it hands out is, as documented there.
class Storage {
 public:
  // Opens what is there.  Without an identity the folder is as good as empty and Initialize must
  // follow.  DataLoss for damage; Unavailable when another process has it open.
  static absl::StatusOr<std::unique_ptr<Storage>> Open(FileSystem* fs, const std::string& data_dir,
                                                       const EngineFactory& new_engine,
                                                       uint64_t seed);
  ~Storage();

  const std::optional<Identity>& identity() const { return identity_; }
  // The first start.  `bootstrap`: one of the first members of a new cluster, whose list it is;
  // else the state comes from the leader.  Durable when it returns.
  absl::Status Initialize(Identity identity, bool bootstrap);
  // Disaster recovery: this member alone goes on with what it has, as the only voter.
  absl::Status ForceNewCluster();

  engine::KvEngine* engine() { return engine_.get(); }
  raftlog::RaftLog* log() { return log_.get(); }
  StateMachine* machine() { return machine_.get(); }
  std::string snapshot_dir() const;

 private:
  Storage(FileSystem* fs, std::string dir) : fs_(fs), dir_(std::move(dir)) {}
  absl::Status OpenLog(uint64_t seed);
  absl::Status OpenEngine(const EngineFactory& new_engine);
  absl::Status ApplyCommitted();
  absl::Status Reconcile(uint64_t snapshot_index, uint64_t snapshot_term);

  FileSystem* const fs_;
  const std::string dir_;
  std::optional<Identity> identity_;
  std::unique_ptr<raftlog::RaftLog> log_;
  std::unique_ptr<engine::KvEngine> engine_;
  std::unique_ptr<StateMachine> machine_;
};

// Ids that all first members of a cluster compute alike.
uint64_t MemberIdOf(const std::string& name, const std::vector<std::string>& peer_urls,
                    const std::string& cluster_token);
uint64_t RaftClusterIdOf(const std::vector<etcdserverpb::Member>& members);

}  // namespace tikv::pd::meta
