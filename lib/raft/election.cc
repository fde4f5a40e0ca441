// Elections: campaigning, voting, counting votes.
#include "lib/base/check.h"
#include "lib/raft/raft.h"
#include "lib/raft/text.h"

namespace tikv::raft {
namespace {

eraftpb::MessageType ResponseTo(eraftpb::MessageType request) {
  return request == eraftpb::MsgRequestPreVote ? eraftpb::MsgRequestPreVoteResponse
                                               : eraftpb::MsgRequestVoteResponse;
}

bool IsConfChange(const eraftpb::Entry& entry) {
  return entry.entry_type() != eraftpb::EntryNormal;
}

}  // namespace

void Raft::Campaign() { Hup(config_.pre_vote ? CampaignKind::kPreVote : CampaignKind::kVote); }

void Raft::Hup(CampaignKind kind) {
  if (lead() != nullptr) return;
  if (!Promotable()) {
    RAFT_TELL(config_.log, kWarn, "{:x} is unpromotable and can not campaign", id());
    return;
  }
  // It would count its votes by a configuration that the group may have left already.
  if (HasUnappliedConfChange()) {
    RAFT_TELL(config_.log, kWarn,
              "{:x} cannot campaign at term {} since there are still pending configuration changes "
              "to apply",
              id(), term_);
    return;
  }
  RAFT_TELL(config_.log, kInfo, "{:x} is starting a new election at term {}", id(), term_);
  StartCampaign(kind);
}

bool Raft::HasUnappliedConfChange() const {
  uint64_t low = log_.applied() + 1;
  const uint64_t high = log_.committed() + 1;
  while (low < high) {
    std::vector<eraftpb::Entry> page;
    const absl::Status s = log_.Entries(low, high, config_.max_committed_size_per_ready, &page);
    if (!s.ok() || page.empty()) return true;  // unknown: better not to campaign
    for (const eraftpb::Entry& entry : page) {
      if (IsConfChange(entry)) return true;
    }
    low += page.size();
  }
  return false;
}

void Raft::StartCampaign(CampaignKind kind) {
  const bool pre = kind == CampaignKind::kPreVote;
  if (pre) {
    BecomePreCandidate();
  } else {
    BecomeCandidate();
  }
  // A pre-vote asks about the term that would come.
  const uint64_t term = pre ? term_ + 1 : term_;
  const eraftpb::MessageType type = pre ? eraftpb::MsgRequestPreVote : eraftpb::MsgRequestVote;
  const Log::Position last = log_.last();
  for (uint64_t voter : members_.AllVoters()) {
    if (voter == id()) {
      // Its own vote counts once it is durable, as those of others do.
      eraftpb::Message own = To(voter, ResponseTo(type));
      own.set_term(term);
      Send(std::move(own));
      continue;
    }
    RAFT_TELL(config_.log, kInfo,
              "{:x} [logterm: {}, index: {}] sent {} request to {:x} at term {}", id(), last.term,
              last.index, MessageName(type), voter, term_);
    eraftpb::Message request = To(voter, type);
    request.set_term(term);
    request.set_index(last.index);
    request.set_log_term(last.term);
    request.set_priority(config_.priority);
    if (kind == CampaignKind::kTransfer) {
      request.set_context(kCampaignTransfer.data(), kCampaignTransfer.size());
    }
    Send(std::move(request));
  }
}

void Raft::OnVoteRequest(const eraftpb::Message& m) {
  const bool pre = m.msg_type() == eraftpb::MsgRequestPreVote;
  const Log::Position last = log_.last();
  const Log::Position theirs{m.index(), m.log_term()};
  const bool may_vote = vote_ == m.from() ||             // said so before
                        (vote_ == 0 && leader_ == 0) ||  // nobody claims this term
                        (pre && m.term() > term_);       // no promise about this term
  const bool worthy =
      log_.IsUpToDate(theirs) && (theirs.index > last.index || m.priority() >= config_.priority);
  // A learner votes too: it may have been made a voter by an entry it has not applied.
  const bool granted = may_vote && worthy;
  RAFT_TELL(config_.log, kInfo,
            "{:x} [logterm: {}, index: {}, vote: {:x}] {} {} {} {:x} [logterm: {}, index: {}] at "
            "term {}",
            id(), last.term, last.index, vote_, granted ? "cast" : "rejected",
            MessageName(m.msg_type()), granted ? "for" : "from", m.from(), theirs.term,
            theirs.index, term_);
  eraftpb::Message answer = To(m.from(), ResponseTo(m.msg_type()));
  if (granted) {
    // The asker's term: for a pre-vote it differs from ours, and ours would be ignored there.
    answer.set_term(m.term());
  } else {
    answer.set_reject(true);
  }
  Send(std::move(answer));
  if (granted && !pre) {
    election_elapsed_ = 0;
    vote_ = m.from();
  }
}

void Raft::OnVoteResponse(const eraftpb::Message& m) {
  Candidacy* c = candidacy();
  if (c == nullptr) return;
  const eraftpb::MessageType expected =
      c->pre ? eraftpb::MsgRequestPreVoteResponse : eraftpb::MsgRequestVoteResponse;
  if (m.msg_type() != expected) return;  // a late one, of the pre-candidacy before
  RAFT_TELL(config_.log, kInfo, "{:x} received {}{} from {:x} at term {}", id(),
            MessageName(m.msg_type()), m.reject() ? " rejection" : "", m.from(), term_);
  c->Record(m.from(), !m.reject());
  size_t granted = 0;
  size_t refused = 0;
  for (const auto& [voter, yes] : c->votes) {
    if (members_.IsVoter(voter)) ++(yes ? granted : refused);
  }
  RAFT_TELL(config_.log, kInfo, "{:x} has received {} {} votes and {} vote rejections", id(),
            granted, MessageName(m.msg_type()), refused);
  const auto vote_of = [c](uint64_t voter) { return c->Of(voter); };
  switch (JointVote(members_.voters, members_.outgoing, vote_of)) {
    case VoteResult::kWon:
      if (c->pre) {
        StartCampaign(CampaignKind::kVote);
      } else {
        BecomeLeader();
        BroadcastAppend();
      }
      break;
    case VoteResult::kLost:
      // A pre-vote's answer carries a term that may never come; ours stays.
      BecomeFollower(term_, 0);
      break;
    case VoteResult::kPending:
      break;
  }
}

}  // namespace tikv::raft
