#include "lib/raft/progress.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/check.h"

namespace tikv::raft {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "StateFollower";
    case Role::kPreCandidate:
      return "StatePreCandidate";
    case Role::kCandidate:
      return "StateCandidate";
    case Role::kLeader:
      return "StateLeader";
  }
  return "StateUnknown";
}

std::string_view ReplicationStateName(ReplicationState state) {
  switch (state) {
    case ReplicationState::kProbe:
      return "StateProbe";
    case ReplicationState::kReplicate:
      return "StateReplicate";
    case ReplicationState::kSnapshot:
      return "StateSnapshot";
  }
  return "StateUnknown";
}

void Progress::Reset(ReplicationState to) {
  flow_paused = false;
  pending_snapshot = 0;
  state = to;
  inflights.Clear();
}

void Progress::BecomeProbe() {
  // After a snapshot the peer is at least where the snapshot ends, if it arrived at all (a failed
  // one has had pending_snapshot zeroed before).
  const uint64_t from = std::max(match, pending_snapshot);
  Reset(ReplicationState::kProbe);
  next = from + 1;
  sent_commit = std::min(sent_commit, next - 1);
}

void Progress::BecomeReplicate() {
  Reset(ReplicationState::kReplicate);
  next = match + 1;
}

void Progress::BecomeSnapshot(uint64_t snapshot_index) {
  Reset(ReplicationState::kSnapshot);
  pending_snapshot = snapshot_index;
  next = snapshot_index + 1;
  sent_commit = snapshot_index;
}

void Progress::SentEntries(size_t entries, uint64_t bytes) {
  CHECK(state != ReplicationState::kSnapshot) << "append sent to " << id << " during a snapshot";
  if (state == ReplicationState::kProbe) {
    if (entries > 0) flow_paused = true;
    return;
  }
  if (entries > 0) {
    next += entries;
    inflights.Add(next - 1, bytes);
  }
  flow_paused = inflights.full();
}

bool Progress::Update(uint64_t index) {
  if (index <= match) return false;
  match = index;
  next = std::max(next, index + 1);
  flow_paused = false;
  return true;
}

bool Progress::Decrease(uint64_t rejected, uint64_t hint) {
  if (state == ReplicationState::kReplicate) {
    if (rejected <= match) return false;
    next = match + 1;
  } else {
    if (next - 1 != rejected) return false;
    next = std::max(std::min(rejected, hint + 1), match + 1);
    flow_paused = false;
  }
  sent_commit = std::min(sent_commit, next - 1);
  return true;
}

PeerStatus Progress::ToStatus() const {
  PeerStatus s;
  s.id = id;
  s.match = match;
  s.next = next;
  s.state = state;
  s.learner = learner;
  s.recent_active = recent_active;
  s.paused = paused();
  s.pending_snapshot = pending_snapshot;
  s.inflight = inflights.size();
  s.inflight_full = inflights.full();
  return s;
}

std::string Progress::Text() const { return PeerText(ToStatus()); }

std::string PeerText(const PeerStatus& s) {
  std::string text =
      fmt::format("{} match={} next={}", ReplicationStateName(s.state), s.match, s.next);
  if (s.learner) text += " learner";
  if (s.paused) text += " paused";
  if (s.pending_snapshot > 0) text += fmt::format(" pendingSnap={}", s.pending_snapshot);
  if (!s.recent_active) text += " inactive";
  if (s.inflight > 0) text += fmt::format(" inflight={}", s.inflight);
  if (s.inflight > 0 && s.inflight_full) text += "[full]";
  return text;
}

void ProgressTable::Reconcile(const Membership& members, uint64_t next) {
  std::vector<Progress> kept;
  const IdSet ids = members.All();
  kept.reserve(ids.size());
  for (uint64_t id : ids) {
    if (Progress* known = Find(id)) {
      kept.push_back(std::move(*known));
    } else {
      kept.emplace_back(id, next, max_inflight_, max_inflight_bytes_);
      kept.back().recent_active = true;
    }
    kept.back().learner = members.IsLearner(id);
  }
  peers_ = std::move(kept);
}

Progress* ProgressTable::Find(uint64_t id) {
  auto at = std::lower_bound(peers_.begin(), peers_.end(), id,
                             [](const Progress& p, uint64_t i) { return p.id < i; });
  return at != peers_.end() && at->id == id ? &*at : nullptr;
}

const Progress* ProgressTable::Find(uint64_t id) const {
  return const_cast<ProgressTable*>(this)->Find(id);
}

}  // namespace tikv::raft
