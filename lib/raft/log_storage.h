// The port through which a replica reads what has been made durable.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "proto/eraftpb.pb.h"

namespace tikv::raft {

// The log as written so far by the shell out of Ready: entries [first_index, last_index], and what
// came before as a snapshot.  The core only reads; it keeps what is not yet acknowledged itself.
//
// Called on the thread that drives the RawNode, in the middle of its calls: an implementation must
// be quick (memory, or a cached file) and must not call back.
//
// Errors: OutOfRange = below first_index - 1, compacted away.  NotFound = above last_index.
// Anything else is a failing disk; the core then skips the work and tries again later.
class LogStorage {
 public:
  struct InitialState {
    eraftpb::HardState hard_state;
    eraftpb::ConfState conf_state;
  };

  virtual ~LogStorage() = default;

  // Read once, when the RawNode is made.
  virtual absl::StatusOr<InitialState> Initial() = 0;

  // Appends entries [low, high) to *out, in order, stopping before the total would exceed
  // `max_bytes`, but at least one.  REQUIRES: low < high.
  virtual absl::Status Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                               std::vector<eraftpb::Entry>* out) = 0;

  // The term of entry `index`, for index in [first_index - 1, last_index]: the entry just before
  // the first is remembered (from the snapshot or from the compaction).
  virtual absl::StatusOr<uint64_t> Term(uint64_t index) = 0;

  // An empty log has first_index == last_index + 1.
  virtual uint64_t FirstIndex() = 0;
  virtual uint64_t LastIndex() = 0;

  // A snapshot whose index is at least `min_index`, to be sent to peer `to`; data and metadata
  // (index, term, configuration as of that index) are set.  Unavailable = being made, ask again.
  virtual absl::StatusOr<eraftpb::Snapshot> Snapshot(uint64_t min_index, uint64_t to) = 0;
};

}  // namespace tikv::raft
