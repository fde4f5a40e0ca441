// A log kept in memory, for tests and for groups that need not survive.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/raft/log_storage.h"

namespace tikv::raft {

// The shell's side of the port: writes what Ready asks, in order.  Not thread-safe.
class MemoryStorage : public LogStorage {
 public:
  // Empty: first index 1.
  MemoryStorage() = default;
  // As after installing `snapshot`.
  explicit MemoryStorage(eraftpb::Snapshot snapshot) { ApplySnapshot(std::move(snapshot)); }

  absl::StatusOr<InitialState> Initial() override;
  absl::Status Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                       std::vector<eraftpb::Entry>* out) override;
  absl::StatusOr<uint64_t> Term(uint64_t index) override;
  uint64_t FirstIndex() override { return snapshot_.metadata().index() + 1; }
  uint64_t LastIndex() override { return snapshot_.metadata().index() + entries_.size(); }
  absl::StatusOr<eraftpb::Snapshot> Snapshot(uint64_t min_index, uint64_t to) override;

  void SetHardState(const eraftpb::HardState& state) { hard_state_ = state; }
  const eraftpb::HardState& hard_state() const { return hard_state_; }
  // What Initial() reports: the configuration as of the last applied entry.
  void SetConfState(const eraftpb::ConfState& state) { conf_state_ = state; }
  void ApplySnapshot(eraftpb::Snapshot snapshot);
  // Overwrites from entries[0].index on.  REQUIRES: no gap; not below the first index.
  void Append(const std::vector<eraftpb::Entry>& entries);
  // Drops entries up to `index`.  `state`: the configuration as of it; `data`: the state machine.
  // REQUIRES: in [first index, last index].
  void Compact(uint64_t index, const eraftpb::ConfState& state, std::string data);

 private:
  eraftpb::HardState hard_state_;
  eraftpb::ConfState conf_state_;
  eraftpb::Snapshot snapshot_;  // what precedes entries_
  std::vector<eraftpb::Entry> entries_;
};

}  // namespace tikv::raft
