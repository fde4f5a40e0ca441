// What a replica wants done: the only way in which the core acts on the world.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/raft/status.h"
#include "proto/eraftpb.pb.h"

namespace tikv::raft {

// The answer to a ReadIndex: once `index` is applied here, the read that was given `context` sees
// every write acknowledged before it was asked.
struct ReadState {
  uint64_t index = 0;
  std::string context;
};

// Names the state of the log at the moment a Ready was taken, so that an acknowledgement which
// arrives late, after the log was overwritten, is recognised.
struct AppendAck {
  uint64_t term = 0;            // of the replica
  uint64_t index = 0;           // last entry of the log; 0 = no entry waits for acknowledgement
  uint64_t log_term = 0;        // its term
  uint64_t snapshot_index = 0;  // of the snapshot to install; 0 = none
};

// What is true only once everything that this Ready and all earlier ones asked to write is durable.
// Handed back through RawNode::OnPersisted, which releases the messages.
struct AfterPersist {
  // Votes and acknowledgements.  One that left before the write was durable could let a quorum
  // count a promise that a crash then takes back.  May be addressed to this replica itself.
  std::vector<eraftpb::Message> messages;
  std::optional<AppendAck> ack;
  bool empty() const { return messages.empty() && !ack.has_value(); }
};

// To be carried out in this order, of which the first three may be batched over many groups:
//   1. send `messages`: nothing in them depends on the writes below (a leader's appends travel
//      while it writes its own copy);
//   2. install `snapshot`, then write `entries` (overwriting what the log holds from
//   entries[0].index on),
//      then `hard_state`; sync when `must_sync`;
//   3. OnPersisted(after_persist), and send what it returns;
//   4. apply `committed_entries`; ApplyConfChange for entries that hold one;
//      OnApplied.
struct Ready {
  std::optional<SoftState> soft_state;           // if changed
  std::optional<eraftpb::HardState> hard_state;  // if changed
  std::vector<ReadState> read_states;
  std::vector<eraftpb::Message> messages;
  std::optional<eraftpb::Snapshot> snapshot;
  std::vector<eraftpb::Entry> entries;
  AfterPersist after_persist;
  std::vector<eraftpb::Entry> committed_entries;
  // False when only the commit index changed: losing it costs nothing.  The write still has to
  // come before later ones.
  bool must_sync = false;

  // Nothing to write, so nothing to wait for before step 3.
  bool NothingToWrite() const { return !snapshot && entries.empty() && !hard_state; }
};

}  // namespace tikv::raft
