// What a leader does: appending proposals, replicating, committing.
#include <algorithm>
#include <iterator>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/raft/raft.h"
#include "lib/raft/text.h"

namespace tikv::raft {

absl::Status Raft::StepLeader(eraftpb::Message& m) {
  if (lead() == nullptr) return absl::OkStatus();  // an answer to what it was before
  Progress* peer = lead()->peers.Find(m.from());
  if (peer == nullptr) {
    RAFT_TELL(config_.log, kDebug, "{:x} no progress available for {:x}", id(), m.from());
    return absl::OkStatus();
  }
  if (m.msg_type() == eraftpb::MsgHeartbeatResponse) {
    OnHeartbeatResponse(*peer, m);
    return absl::OkStatus();
  }
  if (!m.reject() && m.index() > log_.last_index()) {
    return InvalidArgument("raft: {} acknowledges entry {} after the last, {}", m.from(), m.index(),
                           log_.last_index());
  }
  OnAppendResponse(*peer, m);
  return absl::OkStatus();
}

absl::Status Raft::ProposeAsLeader(eraftpb::Message& m) {
  if (lead()->peers.Find(id()) == nullptr) return Unavailable("raft: removed from the group");
  if (lead()->transferee != 0) {
    RAFT_TELL(config_.log, kDebug,
              "{:x} [term {}] transfer leadership to {:x} is in progress; dropping proposal", id(),
              term_, lead()->transferee);
    return Unavailable("raft: leadership is being transferred to {}", lead()->transferee);
  }
  const uint64_t pending_before = lead()->pending_conf_index;
  FilterConfChanges(m);
  std::vector<eraftpb::Entry> entries(std::make_move_iterator(m.mutable_entries()->begin()),
                                      std::make_move_iterator(m.mutable_entries()->end()));
  if (!AppendEntries(std::move(entries))) {
    lead()->pending_conf_index = pending_before;
    RAFT_TELL(config_.log, kWarn,
              "{:x} appending new entries to log would exceed uncommitted entry size limit; "
              "dropping proposal",
              id());
    return ResourceExhausted("raft: {} bytes of proposals are not committed yet",
                             lead()->uncommitted_bytes);
  }
  BroadcastAppend();
  return absl::OkStatus();
}

bool Raft::AppendEntries(std::vector<eraftpb::Entry> entries) {
  uint64_t payload = 0;
  uint64_t index = log_.last_index();
  for (eraftpb::Entry& entry : entries) {
    entry.set_term(term_);
    entry.set_index(++index);
    payload += PayloadBytes(entry);
  }
  // One proposal of any size always fits when nothing else waits, and so does an empty entry.
  uint64_t& used = lead()->uncommitted_bytes;
  if (used > 0 && payload > 0 && used + payload > config_.max_uncommitted_size) return false;
  used += payload;
  log_.Append(std::move(entries));
  // It acknowledges its own entries when they are durable, as a follower does.
  eraftpb::Message own = To(id(), eraftpb::MsgAppendResponse);
  own.set_index(index);
  Send(std::move(own));
  return true;
}

void Raft::BroadcastAppend() {
  for (Progress& peer : lead()->peers.all()) {
    if (peer.id != id()) SendAppend(peer, /*if_empty=*/true);
  }
}

bool Raft::SendAppend(Progress& peer, bool if_empty) {
  if (peer.paused()) return false;
  const uint64_t previous = peer.next - 1;
  const absl::StatusOr<uint64_t> previous_term = log_.Term(previous);
  if (!previous_term.ok()) {
    if (absl::IsOutOfRange(previous_term.status())) return SendSnapshot(peer);
    RAFT_TELL(config_.log, kError, "{:x} cannot read the term of entry {}: {}", id(), previous,
              Message(previous_term.status()));
    return false;
  }
  // With a full window only an empty append may pass.  It does when a heartbeat's answer prompts
  // it, and its answer empties the window even if all that filled it got lost.
  std::vector<eraftpb::Entry> entries;
  if (peer.state != ReplicationState::kReplicate || !peer.inflights.full()) {
    const absl::Status s =
        log_.Entries(peer.next, log_.last_index() + 1, config_.max_size_per_message, &entries);
    if (absl::IsOutOfRange(s)) return SendSnapshot(peer);
    if (!s.ok()) {
      RAFT_TELL(config_.log, kError, "{:x} cannot read entries from {}: {}", id(), peer.next,
                Message(s));
      return false;
    }
  }
  if (entries.empty() && !if_empty) return false;
  eraftpb::Message m = To(peer.id, eraftpb::MsgAppend);
  m.set_index(previous);
  m.set_log_term(*previous_term);
  m.set_commit(log_.committed());
  uint64_t bytes = 0;
  m.mutable_entries()->Reserve(static_cast<int>(entries.size()));
  for (eraftpb::Entry& entry : entries) {
    bytes += EntryBytes(entry);
    m.add_entries()->Swap(&entry);
  }
  Send(std::move(m));
  peer.SentEntries(entries.size(), bytes);
  peer.sent_commit = log_.committed();
  return true;
}

bool Raft::SendSnapshot(Progress& peer) {
  // To one that is not there it would only cost the making.
  if (!peer.recent_active) {
    RAFT_TELL(config_.log, kDebug,
              "ignore sending snapshot to {:x} since it is not recently active", peer.id);
    return false;
  }
  absl::StatusOr<eraftpb::Snapshot> snapshot =
      log_.storage()->Snapshot(std::max(peer.match + 1, log_.first_index() - 1), peer.id);
  if (!snapshot.ok() || snapshot->metadata().index() == 0) {
    RAFT_TELL(config_.log, kDebug, "{:x} failed to send snapshot to {:x}: {}", id(), peer.id,
              Message(snapshot.status()));
    return false;
  }
  const eraftpb::SnapshotMetadata& meta = snapshot->metadata();
  RAFT_TELL(config_.log, kDebug,
            "{:x} [firstindex: {}, commit: {}] sent snapshot[index: {}, term: {}] to {:x} [{}]",
            id(), log_.first_index(), log_.committed(), meta.index(), meta.term(), peer.id,
            peer.Text());
  peer.BecomeSnapshot(meta.index());
  RAFT_TELL(config_.log, kDebug, "{:x} paused sending replication messages to {:x} [{}]", id(),
            peer.id, peer.Text());
  eraftpb::Message m = To(peer.id, eraftpb::MsgSnapshot);
  m.mutable_snapshot()->Swap(&*snapshot);
  Send(std::move(m));
  return true;
}

void Raft::OnAppendResponse(Progress& peer, const eraftpb::Message& m) {
  peer.recent_active = true;
  if (m.reject()) {
    OnAppendRejected(peer, m);
  } else {
    OnAppendAccepted(peer, m.index());
  }
}

void Raft::OnAppendRejected(Progress& peer, const eraftpb::Message& m) {
  RAFT_TELL(config_.log, kDebug,
            "{:x} received MsgAppResp(rejected, hint: (index {}, term {})) from {:x} for index {}",
            id(), m.reject_hint(), m.log_term(), m.from(), m.index());
  // Terms never fall along a log.  If ours has a larger term at an index than the peer has at a
  // later one, the two cannot agree there: one probe per term is enough, not one per entry.
  uint64_t hint = m.reject_hint();
  if (m.log_term() > 0) hint = log_.FindAtMost(hint, m.log_term()).index;
  if (!peer.Decrease(m.index(), hint)) return;
  RAFT_TELL(config_.log, kDebug, "{:x} decreased progress of {:x} to [{}]", id(), m.from(),
            peer.Text());
  if (peer.state == ReplicationState::kReplicate) peer.BecomeProbe();
  SendAppend(peer, /*if_empty=*/true);
}

void Raft::OnAppendAccepted(Progress& peer, uint64_t index) {
  // A probed peer that turns out to hold everything streams again, though nothing new is learned.
  const bool back = peer.match == index && peer.state == ReplicationState::kProbe;
  if (!peer.Update(index) && !back) return;
  switch (peer.state) {
    case ReplicationState::kProbe:
      peer.BecomeReplicate();
      break;
    case ReplicationState::kSnapshot:
      // Whichever snapshot it got, and however: what counts is that the log continues from there.
      if (peer.match + 1 >= log_.first_index()) {
        RAFT_TELL(config_.log, kDebug,
                  "{:x} recovered from needing snapshot, resumed sending replication messages to "
                  "{:x} [{}]",
                  id(), peer.id, peer.Text());
        peer.BecomeProbe();
        peer.BecomeReplicate();
      }
      break;
    case ReplicationState::kReplicate:
      peer.inflights.FreeTo(index);
      break;
  }
  const bool other = peer.id != id();
  if (MaybeCommit()) {
    BroadcastAppend();
  } else if (other && peer.CanBumpCommit(log_.committed())) {
    SendAppend(peer, /*if_empty=*/true);
  }
  if (!other) return;
  // The window has room again, perhaps for several messages.
  while (SendAppend(peer, /*if_empty=*/false)) {
  }
  MaybeFinishTransfer(peer);
}

bool Raft::MaybeCommit() {
  const ProgressTable& peers = lead()->peers;
  const auto match_of = [&peers](uint64_t voter) -> std::optional<uint64_t> {
    const Progress* peer = peers.Find(voter);
    if (peer == nullptr) return std::nullopt;
    return peer->match;
  };
  const uint64_t index = JointAcked(members_.voters, members_.outgoing, match_of);
  // Only an entry of its own term commits by counting: an older one on a majority may still be
  // replaced by a leader that has none of this term's (Raft paper, 5.4.2).
  if (index <= log_.committed() || index == kUnbounded || !log_.Matches({index, term_})) {
    return false;
  }
  log_.CommitTo(index);
  lead()->committed_in_term = true;
  return true;
}

void Raft::CheckQuorum() {
  ProgressTable& peers = lead()->peers;
  const auto active = [&peers](uint64_t voter) -> std::optional<bool> {
    const Progress* peer = peers.Find(voter);
    return peer != nullptr && peer->recent_active;
  };
  const bool alive = JointVote(members_.voters, members_.outgoing, active) == VoteResult::kWon;
  for (Progress& peer : peers.all()) {
    if (peer.id != id()) peer.recent_active = false;
  }
  if (alive) return;
  RAFT_TELL(config_.log, kWarn, "{:x} stepped down to follower since quorum is not active", id());
  BecomeFollower(term_, 0);
}

void Raft::ReportUnreachable(uint64_t peer_id) {
  if (lead() == nullptr) return;
  Progress* peer = lead()->peers.Find(peer_id);
  if (peer == nullptr) return;
  // What was in flight is probably lost.
  if (peer->state == ReplicationState::kReplicate) peer->BecomeProbe();
  RAFT_TELL(config_.log, kDebug,
            "{:x} failed to send message to {:x} because it is unreachable [{}]", id(), peer_id,
            peer->Text());
}

void Raft::ReportSnapshot(uint64_t peer_id, bool success) {
  if (lead() == nullptr) return;
  Progress* peer = lead()->peers.Find(peer_id);
  if (peer == nullptr || peer->state != ReplicationState::kSnapshot) return;
  if (!success) peer->pending_snapshot = 0;  // else the probe would start where it never came to
  peer->BecomeProbe();
  RAFT_TELL(config_.log, kDebug,
            "{:x} snapshot {}, resumed sending replication messages to {:x} [{}]", id(),
            success ? "succeeded" : "failed", peer_id, peer->Text());
  // Wait for its acknowledgement, or after a failure for the next heartbeat.
  peer->flow_paused = true;
}

}  // namespace tikv::raft
