// Heartbeat rounds and what they prove: read indexes and leases.
//
// Every broadcast of heartbeats is a round with a number, and carries the shell's time stamp; the
// followers echo both.  A quorum that echoed round r, or one after it, had not elected another
// leader when r began.  Reads asked before r began are confirmed by it; and as long as its
// followers keep silent after a heartbeat (check_quorum), the leader holds a lease from the stamp
// on.
#include <algorithm>

#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/raft/raft.h"
#include "lib/raft/text.h"

namespace tikv::raft {

std::string EncodeRound(uint64_t round, uint64_t stamp) {
  std::string out;
  PutLittle64(&out, round);
  PutLittle64(&out, stamp);
  return out;
}

std::optional<Round> DecodeRound(std::string_view context) {
  if (context.size() != 16) return std::nullopt;
  return Round{GetLittle64(context), GetLittle64(context.substr(8))};
}

void Raft::StartRound() {
  if (lead() == nullptr) return;
  ++lead()->round;
  if (CommittedInTerm()) lead()->reads.StartRound(lead()->round, log_.committed());
  for (Progress& peer : lead()->peers.all()) {
    if (peer.id != id()) SendHeartbeat(peer);
  }
}

void Raft::SendHeartbeat(Progress& peer) {
  // Not more than it is known to hold: what follows there may be a rest of an older leader.
  const uint64_t commit = std::min(peer.match, log_.committed());
  eraftpb::Message m = To(peer.id, eraftpb::MsgHeartbeat);
  m.set_commit(commit);
  m.set_context(EncodeRound(lead()->round, stamp_));
  Send(std::move(m));
  peer.sent_commit = commit;
}

void Raft::OnHeartbeatResponse(Progress& peer, const eraftpb::Message& m) {
  peer.recent_active = true;
  peer.flow_paused = false;
  // An append to one that lags unsticks a stream whose messages were all lost; to one that is
  // probed and lags not, it gives the chance to say so.
  if (peer.match < log_.last_index() || peer.state == ReplicationState::kProbe) {
    SendAppend(peer, /*if_empty=*/true);
  }
  const auto echo = DecodeRound(m.context());
  if (!echo.has_value() || echo->round > lead()->round) return;
  peer.acked_round = std::max(peer.acked_round, echo->round);
  peer.acked_stamp = std::max(peer.acked_stamp, echo->stamp);
  if (lead()->reads.empty()) return;
  for (ReadQueue::Read& read : lead()->reads.Confirm(QuorumRound())) {
    AnswerRead(read.from, read.index, std::move(read.context));
  }
}

uint64_t Raft::QuorumRound() const {
  const Leadership* l = leadership();
  const auto acked = [&](uint64_t voter) -> std::optional<uint64_t> {
    if (voter == id()) return l->round;
    const Progress* peer = l->peers.Find(voter);
    if (peer == nullptr) return std::nullopt;
    return peer->acked_round;
  };
  return JointAcked(members_.voters, members_.outgoing, acked);
}

void Raft::ReadIndex(uint64_t from, std::string context) {
  Leadership* l = lead();
  if (l == nullptr) {
    if (leader_ == 0 || role() != Role::kFollower) {
      RAFT_TELL(config_.log, kInfo, "{:x} no leader at term {}; dropping index reading msg", id(),
                term_);
      return;
    }
    eraftpb::Message m;  // without a term, as a proposal: it is the asker's, not the follower's
    m.set_msg_type(eraftpb::MsgReadIndex);
    m.set_from(from);
    m.add_entries()->set_data(std::move(context));
    ForwardToLeader(m);
    return;
  }
  // Before an entry of its term is committed, its commit index may be behind that of the leader
  // before it; the read waits.
  l->reads.Add(from, std::move(context));
}

bool Raft::ReadsWaitForRound() const {
  const Leadership* l = leadership();
  return l != nullptr && l->reads.HasUnassigned() && CommittedInTerm();
}

void Raft::MaybeStartReadRound() {
  if (!ReadsWaitForRound()) return;
  const bool alone = members_.AllVoters() == IdSet{id()};
  if (alone || config_.read_only == ReadOnlyOption::kLeaseBased) {
    // No proof is needed, or the clock is the proof.
    lead()->reads.StartRound(lead()->round, log_.committed());
    for (ReadQueue::Read& read : lead()->reads.Confirm(lead()->round)) {
      AnswerRead(read.from, read.index, std::move(read.context));
    }
  } else {
    StartRound();
  }
}

void Raft::AnswerRead(uint64_t from, uint64_t index, std::string context) {
  if (from == id()) {
    read_states_.push_back({index, std::move(context)});
    return;
  }
  eraftpb::Message m = To(from, eraftpb::MsgReadIndexResp);
  m.set_index(index);
  m.add_entries()->set_data(std::move(context));
  Send(std::move(m));
}

uint64_t Raft::LeaseStamp() const {
  const Leadership* l = leadership();
  if (l == nullptr || !config_.check_quorum || !CommittedInTerm() || l->transferee != 0) return 0;
  if (l->timeout_now_to != 0) {
    // Void until the target proves that it will not act on the order any more: it ignores one that
    // is older than the newest heartbeat it answered.
    const Progress* target = l->peers.Find(l->timeout_now_to);
    if (target == nullptr || target->acked_round <= l->timeout_now_round) return 0;
  }
  const auto acked = [&](uint64_t voter) -> std::optional<uint64_t> {
    if (voter == id()) return stamp_;
    const Progress* peer = l->peers.Find(voter);
    if (peer == nullptr) return std::nullopt;
    return peer->acked_stamp;
  };
  const uint64_t stamp = JointAcked(members_.voters, members_.outgoing, acked);
  return stamp == kUnbounded ? 0 : stamp;
}

bool Raft::CommittedInTerm() const {
  return leadership() != nullptr && leadership()->committed_in_term;
}

}  // namespace tikv::raft
