// A view of one replica for schedulers, logs and tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/eraftpb.pb.h"

namespace tikv::raft {

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };
std::string_view RoleName(Role role);  // "StateFollower", "StateLeader", ...

// What changes without being durable; a shell reports it upwards.
struct SoftState {
  uint64_t leader = 0;  // 0 = none known
  Role role = Role::kFollower;
  friend bool operator==(const SoftState&, const SoftState&) = default;
};

// How the leader feeds one follower.
enum class ReplicationState : uint8_t {
  kProbe,      // looking for the point where the logs agree; one append at a time
  kReplicate,  // streaming
  kSnapshot,   // waiting for a snapshot to arrive
};

// A leader's knowledge of one peer.
struct PeerStatus {
  uint64_t id = 0;
  uint64_t match = 0;  // highest index known to be durable there
  uint64_t next = 0;   // the next entry to send
  ReplicationState state = ReplicationState::kProbe;
  bool learner = false;
  bool recent_active = false;     // heard of within the last election_tick
  bool paused = false;            // no append will be sent until it answers
  uint64_t pending_snapshot = 0;  // index of the snapshot on its way; 0 = none
  size_t inflight = 0;            // appends not acknowledged
  bool inflight_full = false;
};
// "StateReplicate match=11 next=15 paused inflight=3[full]"
std::string PeerText(const PeerStatus& peer);
// A copy as of the call; plain data.
struct Status {
  uint64_t id = 0;
  eraftpb::HardState hard_state;
  SoftState soft_state;
  uint64_t applied = 0;
  uint64_t last_index = 0;
  uint64_t transferee = 0;  // where leadership is being transferred to; 0 = nowhere
  eraftpb::ConfState conf_state;
  std::vector<PeerStatus> peers;  // sorted by id; empty unless leader
};

}  // namespace tikv::raft
