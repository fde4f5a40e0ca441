// What one replica is told when it is made.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tikv::raft {

class EventLog;

// How a read index is confirmed.
enum class ReadOnlyOption {
  kSafe,        // by a round of heartbeats that a quorum acknowledges
  kLeaseBased,  // by trusting the clock: REQUIRES check_quorum
};
// Copied by the node; plain data.  RawNode::Create refuses what makes no sense.
struct Config {
  uint64_t id = 0;       // not 0
  uint64_t applied = 0;  // what the state machine already holds; committed entries start after it

  // In ticks.  A follower campaigns after a random time in [election_tick, 2 * election_tick).
  int election_tick = 10;
  int heartbeat_tick = 2;  // REQUIRES: < election_tick

  // Limits on bytes are soft by one entry: a single larger entry still travels.  0 = no limit for
  // the two "max_..._bytes" fields that say so.
  uint64_t max_size_per_message = 1 << 20;
  uint64_t max_committed_size_per_ready = 16 << 20;
  uint64_t max_uncommitted_size = 0;   // of entries proposed but not committed; 0 = no limit
  size_t max_inflight_messages = 256;  // appends sent to one follower and not acknowledged
  uint64_t max_inflight_bytes = 0;     // the same in bytes; 0 = no limit

  bool check_quorum = true;  // a leader that hears from no quorum for election_tick steps down
  bool pre_vote = true;      // campaign without disturbing the term first
  ReadOnlyOption read_only = ReadOnlyOption::kSafe;

  // false: a Ready may hand out, as committed, entries that the same Ready asks to write; the
  // shell writes (and syncs) first and applies second.  true: only entries acknowledged by
  // OnPersisted are handed out, so that writing and applying may run independently.
  bool async_storage = true;

  // This replica existed before its process started.  It may have acknowledged a heartbeat just
  // before it died, and a leader may still hold a lease on that: it gives no vote for its first
  // election_tick.  false for a replica that is new, so that a new group elects at once.
  bool restarted = false;

  bool step_down_on_removal = true;             // a leader removed or demoted steps down at once
  bool disable_proposal_forwarding = true;      // a follower refuses proposals
  bool disable_conf_change_validation = false;  // the proposer takes care of joint rules itself

  // A voter refuses its vote to a candidate of lower priority, unless that one's log is longer.
  int64_t priority = 0;

  EventLog* log = nullptr;  // not owned; null: silent
};

}  // namespace tikv::raft
