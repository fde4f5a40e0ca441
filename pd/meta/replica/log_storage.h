// Raft's view of the log on disk.
#pragma once

#include <map>
#include <memory>

#include "lib/raft/log_storage.h"
#include "lib/raftlog/raft_log.h"

namespace tikv::engine {
class KvEngine;
class Snapshot;
}  // namespace tikv::engine

namespace tikv::pd::meta {

class StateMachine;

inline constexpr raftlog::GroupId kRaftGroup = 1;

// The log begins anew behind an installed snapshot.  Entries beyond it are of another history, else
// Raft had not asked for the snapshot.
void BeginLogAt(const raftlog::RaftLog& log, uint64_t index, uint64_t term,
                raftlog::LogBatch* batch);

// Lives on the raft thread.  All arguments must outlive the object.
class LogStorage final : public raft::LogStorage {
 public:
  LogStorage(raftlog::RaftLog* log, engine::KvEngine* engine, const StateMachine* machine)
      : log_(log), engine_(engine), machine_(machine) {}

  absl::StatusOr<InitialState> Initial() override;
  absl::Status Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                       std::vector<eraftpb::Entry>* out) override;
  absl::StatusOr<uint64_t> Term(uint64_t index) override;
  uint64_t FirstIndex() override { return log_->FirstIndex(kRaftGroup); }
  uint64_t LastIndex() override { return log_->LastIndex(kRaftGroup); }
  // Describes what is applied now and keeps the engine's snapshot of it for the sender.
  absl::StatusOr<eraftpb::Snapshot> Snapshot(uint64_t min_index, uint64_t to) override;

  // The engine's state that belongs to the snapshot last described for `to`; null if there is
  // none.
  std::shared_ptr<const engine::Snapshot> TakeState(uint64_t to);

 private:
  raftlog::RaftLog* const log_;
  engine::KvEngine* const engine_;
  const StateMachine* const machine_;
  std::map<uint64_t, std::shared_ptr<const engine::Snapshot>> states_;
};

}  // namespace tikv::pd::meta
