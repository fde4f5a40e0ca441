// Handing leadership over.
#include "lib/raft/raft.h"
#include "lib/raft/text.h"

namespace tikv::raft {

void Raft::TransferLeader(uint64_t to) {
  if (lead() != nullptr) {
    OnTransferRequest(to);
    return;
  }
  if (role() != Role::kFollower) return;
  if (leader_ == 0) {
    RAFT_TELL(config_.log, kInfo, "{:x} no leader at term {}; dropping leader transfer msg", id(),
              term_);
    return;
  }
  eraftpb::Message m = To(leader_, eraftpb::MsgTransferLeader);
  m.set_from(to);  // names the target, not the sender
  Send(std::move(m));
}

void Raft::OnTransferRequest(uint64_t to) {
  Leadership& l = *lead();
  Progress* peer = l.peers.Find(to);
  if (peer == nullptr || peer->learner) {
    RAFT_TELL(config_.log, kDebug, "{:x} is no voter. Ignored transferring leadership", to);
    return;
  }
  if (l.transferee == to) {
    RAFT_TELL(config_.log, kInfo,
              "{:x} [term {}] transfer leadership to {:x} is in progress, ignores request to same "
              "node {:x}",
              id(), term_, to, to);
    return;
  }
  if (l.transferee != 0) {
    RAFT_TELL(config_.log, kInfo, "{:x} [term {}] abort previous transferring leadership to {:x}",
              id(), term_, l.transferee);
    l.transferee = 0;
  }
  if (to == id()) return;
  RAFT_TELL(config_.log, kInfo, "{:x} [term {}] starts to transfer leadership to {:x}", id(), term_,
            to);
  election_elapsed_ = 0;  // the transfer has one election time-out from here
  l.transferee = to;
  if (peer->match == log_.last_index()) {
    SendTimeoutNow(to);
    RAFT_TELL(config_.log, kInfo,
              "{:x} sends MsgTimeoutNow to {:x} immediately as {:x} already has up-to-date log",
              id(), to, to);
  } else {
    SendAppend(*peer, /*if_empty=*/true);
  }
}

void Raft::MaybeFinishTransfer(const Progress& peer) {
  if (peer.id != lead()->transferee || peer.match != log_.last_index()) return;
  RAFT_TELL(config_.log, kInfo, "{:x} sent MsgTimeoutNow to {:x} after received MsgAppResp", id(),
            peer.id);
  SendTimeoutNow(peer.id);
}

void Raft::SendTimeoutNow(uint64_t to) {
  Leadership& l = *lead();
  l.timeout_now_to = to;
  l.timeout_now_round = l.round;
  eraftpb::Message m = To(to, eraftpb::MsgTimeoutNow);
  m.set_context(EncodeRound(l.round, 0));
  Send(std::move(m));
}

void Raft::OnTimeoutNow(const eraftpb::Message& m) {
  if (role() != Role::kFollower) return;
  // An order that was overtaken by a later heartbeat of the same leader is void: the leader has
  // given the transfer up and may hold a lease again (LeaseStamp).
  const auto order = DecodeRound(m.context());
  if (order.has_value() && order->round < seen_round_) {
    RAFT_TELL(config_.log, kInfo, "{:x} [term {}] ignored an old MsgTimeoutNow from {:x}", id(),
              term_, m.from());
    return;
  }
  RAFT_TELL(config_.log, kInfo,
            "{:x} [term {}] received MsgTimeoutNow from {:x} and starts an election to get "
            "leadership.",
            id(), term_, m.from());
  // No pre-vote: the leader is known to be willing.
  Hup(CampaignKind::kTransfer);
}

}  // namespace tikv::raft
