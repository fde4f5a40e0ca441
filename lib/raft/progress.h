// What a leader knows of one peer, and how fast it may feed it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/raft/inflights.h"
#include "lib/raft/membership.h"
#include "lib/raft/status.h"

namespace tikv::raft {

// A small state machine:
//   probe: the point where the logs agree is unknown; one append at a time.
//   replicate: streaming, `next` runs ahead of `match` by what is in flight.
//   snapshot: nothing is sent until the snapshot has arrived or failed.
// Invariant: match < next.
struct Progress {
  Progress(uint64_t peer, uint64_t next_index, size_t max_inflight, uint64_t max_inflight_bytes)
      : id(peer), next(next_index), inflights(max_inflight, max_inflight_bytes) {}

  void BecomeProbe();
  void BecomeReplicate();
  void BecomeSnapshot(uint64_t snapshot_index);

  // An append with `entries` entries of `bytes` bytes leaves.  REQUIRES: not in snapshot state.
  void SentEntries(size_t entries, uint64_t bytes);
  // `index` is durable there.  False when that was known.
  bool Update(uint64_t index);
  // The append after `rejected` did not fit; `hint` is where the peer suggests to try.  False when
  // the answer is an old one.
  bool Decrease(uint64_t rejected, uint64_t hint);
  // Whether telling the peer of `commit` could move its commit index.
  bool CanBumpCommit(uint64_t commit) const {
    return commit > sent_commit && sent_commit < next - 1;
  }

  bool paused() const { return state == ReplicationState::kSnapshot || flow_paused; }
  PeerStatus ToStatus() const;
  std::string Text() const;

  uint64_t id;
  uint64_t match = 0;
  uint64_t next;
  uint64_t sent_commit = 0;       // highest commit index in a message sent
  uint64_t pending_snapshot = 0;  // index of the snapshot on its way
  uint64_t acked_round = 0;       // newest heartbeat round answered
  uint64_t acked_stamp = 0;       // newest stamp among those
  ReplicationState state = ReplicationState::kProbe;
  bool flow_paused = false;
  bool recent_active = false;
  bool learner = false;
  Inflights inflights;

 private:
  void Reset(ReplicationState to);
};

std::string_view ReplicationStateName(ReplicationState state);

// The leader's peers, itself included, sorted by id.
class ProgressTable {
 public:
  ProgressTable(size_t max_inflight, uint64_t max_inflight_bytes)
      : max_inflight_(max_inflight), max_inflight_bytes_(max_inflight_bytes) {}

  // Makes the table hold exactly the members: newcomers start at `next` and count as active, for
  // they deserve an election time-out before they are counted against the leader.
  void Reconcile(const Membership& members, uint64_t next);

  Progress* Find(uint64_t id);
  const Progress* Find(uint64_t id) const;
  std::vector<Progress>& all() { return peers_; }
  const std::vector<Progress>& all() const { return peers_; }

 private:
  size_t max_inflight_;
  uint64_t max_inflight_bytes_;
  std::vector<Progress> peers_;
};

}  // namespace tikv::raft
