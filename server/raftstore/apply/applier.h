// Applier: the state machine of one replica.  Turns committed entries into changes of the engine.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto/eraftpb.pb.h"
#include "proto/metapb.pb.h"
#include "proto/raft_cmdpb.pb.h"
#include "server/port/region_error.h"
#include "server/raftstore/apply/region_change.h"

namespace tikv::engine {
class WriteBatch;
}

namespace tikv::server {

// The position of a replica's data: everything up to `applied` is in the engine, and the Raft log
// up to `truncated_index` is not needed any more.
struct ApplyState {
  uint64_t applied = 0;
  uint64_t truncated_index = 0;
  uint64_t truncated_term = 0;
};

// What an entry did beyond the keys it wrote; carried out by the owner of the replica once the
// batch is written.
struct PeersChanged {
  PeerChanges changes;
  metapb::Region region;
};
// The entry cut the region.
struct RegionSplit {
  std::vector<metapb::Region> regions;  // Left to right; the last is this one.
};
struct LogCompacted {};
using ApplyEffect = std::variant<std::monostate, PeersChanged, RegionSplit, LogCompacted>;

// The epoch check failed, or the command broke its rules; nothing was changed by it.
enum class ApplyVerdict : uint8_t { kDone, kEpochNotMatch, kRefused };

// What became of one entry.
struct ApplyOutcome {
  ApplyVerdict verdict = ApplyVerdict::kDone;
  std::string reason;  // When refused.
  ApplyEffect effect;
};

// Pure: no engine, no thread.  Everything it decides depends on the entries alone, so that all
// replicas decide alike.
class Applier {
 public:
  Applier(metapb::Region region, ApplyState state);

  // REQUIRES: entries in order without gaps.  Adds the entry's changes to the batch.
  // DataLoss: an entry that no version of this program can have written; the replica must stop.
  absl::StatusOr<ApplyOutcome> Apply(const eraftpb::Entry& entry, engine::WriteBatch* batch);

  // Adds the apply state to the batch that holds the changes it stands for.
  void SaveState(engine::WriteBatch* batch) const;
  // Adds a region state record.
  static void SaveRegion(const metapb::Region& region, int peer_state, engine::WriteBatch* batch);
  static void SaveApplyState(uint64_t region_id, const ApplyState& state,
                             engine::WriteBatch* batch);

  const metapb::Region& region() const { return region_; }
  const ApplyState& state() const { return state_; }
  uint64_t applied_term() const { return applied_term_; }
  void set_applied_term(uint64_t term) { applied_term_ = term; }

  // Everything restarts from a snapshot.
  void Reset(metapb::Region region, ApplyState state, uint64_t term);

  // Written since the start, for statistics.
  uint64_t written_bytes() const { return written_bytes_; }
  uint64_t written_keys() const { return written_keys_; }

 private:
  absl::StatusOr<ApplyOutcome> ApplyWrite(std::string_view data, engine::WriteBatch* batch);
  absl::StatusOr<ApplyOutcome> ApplyAdmin(std::string_view data, engine::WriteBatch* batch);
  ApplyOutcome ApplyPeers(const raft_cmdpb::AdminRequest& request, engine::WriteBatch* batch);
  ApplyOutcome ApplySplit(const raft_cmdpb::BatchSplitRequest& request, engine::WriteBatch* batch);
  ApplyOutcome ApplyCompactLog(const raft_cmdpb::CompactLogRequest& request);

  metapb::Region region_;
  ApplyState state_;
  uint64_t applied_term_ = 0;
  uint64_t written_bytes_ = 0;
  uint64_t written_keys_ = 0;
};

}  // namespace tikv::server
