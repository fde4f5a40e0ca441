// What a replica knows only in its present role; gone, with its memory, when the role ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "lib/raft/progress.h"
#include "lib/raft/read_queue.h"

namespace tikv::raft {

struct Following {};

// Of a candidate: the votes so far.
struct Candidacy {
  explicit Candidacy(bool is_pre) : pre(is_pre) {}

  // The first vote counts.
  void Record(uint64_t id, bool granted) {
    if (!Of(id).has_value()) votes.emplace_back(id, granted);
  }
  std::optional<bool> Of(uint64_t id) const {
    for (const auto& [voter, granted] : votes) {
      if (voter == id) return granted;
    }
    return std::nullopt;
  }

  bool pre;  // asks whether it could win, before it disturbs the term
  std::vector<std::pair<uint64_t, bool>> votes;
};

// Of a leader: its peers, its waiting reads, a transfer under way.
struct Leadership {
  Leadership(size_t max_inflight, uint64_t max_inflight_bytes)
      : peers(max_inflight, max_inflight_bytes) {}

  ProgressTable peers;
  int heartbeat_elapsed = 0;
  // A change may be proposed only when everything up to here is applied: at most one is unapplied.
  uint64_t pending_conf_index = 0;
  uint64_t uncommitted_bytes = 0;  // payload of proposals not applied yet
  ReadQueue reads;
  bool committed_in_term = false;  // an entry of its own term is committed
  uint64_t round = 0;              // of the newest heartbeats
  uint64_t transferee = 0;         // leadership is being handed to it; 0 = to nobody
  // A MsgTimeoutNow is or was under way: to whom, and the round at that time.  Until the target
  // acknowledges a later round, it may still act on it and win an election in spite of a lease.
  uint64_t timeout_now_to = 0;
  uint64_t timeout_now_round = 0;
};

using RoleState = std::variant<Following, std::unique_ptr<Candidacy>, std::unique_ptr<Leadership>>;

}  // namespace tikv::raft
