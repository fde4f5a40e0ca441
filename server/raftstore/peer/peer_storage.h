// PeerStorage: the raft core's view of one group in the shared Raft log.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lib/raft/log_storage.h"
#include "lib/raft/ready.h"
#include "lib/raftlog/raft_log.h"
#include "proto/eraftpb.pb.h"

namespace tikv::engine {
class Snapshot;
}

namespace tikv::server {

// A snapshot ready to be sent: what the raft message says, and the state of the engine it means.
struct OutgoingSnapshot {
  eraftpb::Snapshot header;
  std::shared_ptr<const engine::Snapshot> data;
};

// Entries are stored as 1 byte entry type + data.  Used by the raft thread.
class PeerStorage : public raft::LogStorage {
 public:
  // `log` must outlive this object.  `initial` is the configuration; `applied` the index below
  // which the commit index cannot be.
  PeerStorage(raftlog::RaftLog* log, uint64_t region_id, eraftpb::ConfState initial,
              uint64_t applied);

  absl::StatusOr<InitialState> Initial() override;
  absl::Status Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                       std::vector<eraftpb::Entry>* out) override;
  absl::StatusOr<uint64_t> Term(uint64_t index) override;
  uint64_t FirstIndex() override;
  uint64_t LastIndex() override;
  // Unavailable until the store has taken one; remembers that one is wanted.
  absl::StatusOr<eraftpb::Snapshot> Snapshot(uint64_t min_index, uint64_t to) override;

  // Whether the core asked for a snapshot that the store should take now.
  bool snapshot_wanted() const { return wanted_; }
  void ProvideSnapshot(OutgoingSnapshot snapshot);
  // The data for a header that the core sends; null when it was replaced meanwhile.
  std::shared_ptr<const engine::Snapshot> DataOf(const eraftpb::SnapshotMetadata& header) const;
  // Forgets a snapshot that nobody has asked for since the last call; it pins old data.
  void DropIdleSnapshot();

  // Adds what a Ready asks to write.
  static void AddTo(uint64_t region_id, const raft::Ready& ready, raftlog::LogBatch* batch);

 private:
  raftlog::RaftLog* log_;
  uint64_t region_id_;
  eraftpb::ConfState initial_;
  uint64_t applied_;
  bool wanted_ = false;
  bool used_ = false;
  std::optional<OutgoingSnapshot> snapshot_;
};

// One stored entry; nullopt when it is empty (damage).
std::optional<eraftpb::Entry> DecodeStoredEntry(uint64_t index, uint64_t term,
                                                std::string_view stored);

}  // namespace tikv::server
