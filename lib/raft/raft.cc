#include "lib/raft/raft.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/env/random.h"
#include "lib/raft/text.h"

namespace tikv::raft {
namespace {

absl::Status Validate(const Config& c) {
  if (c.id == 0) return InvalidArgument("raft: id must not be 0");
  if (c.heartbeat_tick <= 0) return InvalidArgument("raft: heartbeat_tick must be positive");
  if (c.election_tick <= c.heartbeat_tick) {
    return InvalidArgument("raft: election_tick must be greater than heartbeat_tick");
  }
  if (c.max_inflight_messages == 0) {
    return InvalidArgument("raft: max_inflight_messages must be positive");
  }
  if (c.read_only == ReadOnlyOption::kLeaseBased && !c.check_quorum) {
    return InvalidArgument("raft: lease based reads need check_quorum");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Raft>> Raft::Create(const Config& config, LogStorage* storage,
                                                   Random* random) {
  RETURN_IF_ERROR(Validate(config));
  ASSIGN_OR_RETURN(LogStorage::InitialState initial, storage->Initial());
  ASSIGN_OR_RETURN(Log log, Log::Open(config, storage));
  ASSIGN_OR_RETURN(Membership members, MembershipFrom(initial.conf_state));
  std::unique_ptr<Raft> raft(new Raft(config, random, std::move(log), std::move(members)));
  RETURN_IF_ERROR(raft->Load(initial.hard_state));
  return raft;
}

Raft::Raft(const Config& config, Random* random, Log log, Membership members)
    : config_(config),
      random_(random),
      log_(std::move(log)),
      members_(std::move(members)),
      hold_votes_(config.restarted) {
  if (config_.max_uncommitted_size == 0) config_.max_uncommitted_size = kUnbounded;
  RAFT_TELL(config_.log, kInfo, "{:x} switched to configuration {}", id(), members_.Text());
}

absl::Status Raft::Load(const eraftpb::HardState& hs) {
  // What is applied was committed, even if the commit index on disk says less: it is not synced.
  const uint64_t commit = std::max({hs.commit(), config_.applied, log_.committed()});
  if (commit > log_.last_index()) {
    return DataLoss("raft: {} has committed {} and applied {}, but its log ends at {}", id(),
                    hs.commit(), config_.applied, log_.last_index());
  }
  log_.StartAt(commit, config_.applied);
  vote_ = hs.vote();
  term_ = hs.term();
  BecomeFollower(term_, 0);
  told_soft_ = {leader_, role()};
  told_term_ = term_;
  told_vote_ = vote_;
  told_commit_ = log_.committed();
  if (config_.log != nullptr && config_.log->Enabled(EventLog::Level::kInfo)) {
    std::vector<std::string> peers;
    for (uint64_t voter : members_.AllVoters()) peers.push_back(fmt::format("{:x}", voter));
    RAFT_TELL(config_.log, kInfo,
              "newRaft {:x} [peers: [{}], term: {}, commit: {}, applied: {}, lastindex: {}, "
              "lastterm: {}]",
              id(), fmt::join(peers, ","), term_, log_.committed(), log_.applied(),
              log_.last().index, log_.last().term);
  }
  return absl::OkStatus();
}

Role Raft::role() const {
  if (std::holds_alternative<std::unique_ptr<Leadership>>(role_)) return Role::kLeader;
  if (auto* c = std::get_if<std::unique_ptr<Candidacy>>(&role_)) {
    return (*c)->pre ? Role::kPreCandidate : Role::kCandidate;
  }
  return Role::kFollower;
}

void Raft::EnterTerm(uint64_t term) {
  if (term_ != term) {
    CHECK_GT(term, term_) << "the term went back";
    term_ = term;
    vote_ = 0;
  }
  leader_ = 0;
  seen_round_ = 0;
  election_elapsed_ = 0;
  randomized_timeout_ =
      config_.election_tick +
      static_cast<int>(random_->Uniform(static_cast<uint64_t>(config_.election_tick)));
}

void Raft::BecomeFollower(uint64_t term, uint64_t leader) {
  EnterTerm(term);
  leader_ = leader;
  role_ = Following{};
  RAFT_TELL(config_.log, kInfo, "{:x} became follower at term {}", id(), term_);
}

void Raft::BecomePreCandidate() {
  CHECK(lead() == nullptr) << "leader -> pre-candidate";
  // Neither term nor vote nor timer change: this only asks.
  leader_ = 0;
  role_ = std::make_unique<Candidacy>(/*is_pre=*/true);
  RAFT_TELL(config_.log, kInfo, "{:x} became pre-candidate at term {}", id(), term_);
}

void Raft::BecomeCandidate() {
  CHECK(lead() == nullptr) << "leader -> candidate";
  EnterTerm(term_ + 1);
  vote_ = id();
  role_ = std::make_unique<Candidacy>(/*is_pre=*/false);
  RAFT_TELL(config_.log, kInfo, "{:x} became candidate at term {}", id(), term_);
}

void Raft::BecomeLeader() {
  CHECK(role() == Role::kCandidate) << "only a candidate becomes leader";
  EnterTerm(term_);
  leader_ = id();
  auto leadership =
      std::make_unique<Leadership>(config_.max_inflight_messages, config_.max_inflight_bytes);
  leadership->peers.Reconcile(members_, log_.last_index() + 1);
  for (Progress& peer : leadership->peers.all()) peer.recent_active = peer.id == id();
  Progress* self = leadership->peers.Find(id());
  CHECK(self != nullptr) << "elected without being a member";
  // Its own log is durable: the vote that made it leader was released after all of it.
  self->match = log_.last_index();
  self->BecomeReplicate();
  // There may be a change among what is not committed yet; looking would cost more than waiting.
  leadership->pending_conf_index = log_.last_index();
  role_ = std::move(leadership);
  // Committing this entry commits all before it, of whatever term.
  CHECK(AppendEntries(std::vector<eraftpb::Entry>(1))) << "an empty entry was refused";
  RAFT_TELL(config_.log, kInfo, "{:x} became leader at term {}", id(), term_);
}

void Raft::Tick() {
  log_.RetryReading();
  ++election_elapsed_;
  if (election_elapsed_ >= config_.election_tick) hold_votes_ = false;
  if (lead() != nullptr) {
    TickLeader();
  } else if (election_elapsed_ >= randomized_timeout_ && Promotable()) {
    election_elapsed_ = 0;
    Campaign();
  }
}

void Raft::TickLeader() {
  if (election_elapsed_ >= config_.election_tick) {
    election_elapsed_ = 0;
    if (config_.check_quorum) CheckQuorum();
    if (lead() == nullptr) return;
    lead()->transferee = 0;  // it had a whole election time-out
  }
  if (++lead()->heartbeat_elapsed >= config_.heartbeat_tick) {
    lead()->heartbeat_elapsed = 0;
    StartRound();
  }
}

bool Raft::Promotable() const {
  // A snapshot that is not installed yet stands between the log and the state machine.
  return members_.IsVoter(id()) && !log_.HasPendingSnapshot();
}

bool Raft::InLease() const {
  return config_.check_quorum && (leader_ != 0 || hold_votes_) &&
         election_elapsed_ < config_.election_tick;
}

eraftpb::Message Raft::To(uint64_t to, eraftpb::MessageType type) const {
  eraftpb::Message m;
  m.set_msg_type(type);
  m.set_to(to);
  m.set_term(term_);
  return m;
}

void Raft::Send(eraftpb::Message m) {
  if (m.from() == 0) m.set_from(id());
  switch (m.msg_type()) {
    // These promise something, so they wait until what they promise is durable; so do refusals,
    // which may rest on a vote or an entry that is not durable either.
    case eraftpb::MsgAppendResponse:
    case eraftpb::MsgRequestVoteResponse:
    case eraftpb::MsgRequestPreVoteResponse:
      after_persist_.push_back(std::move(m));
      return;
    default:
      CHECK_NE(m.to(), id()) << MessageName(m.msg_type()) << " to itself";
      messages_.push_back(std::move(m));
  }
}

absl::Status Raft::Step(eraftpb::Message& m) {
  if (m.term() != 0 && m.term() != term_ && StepOtherTerm(m)) return absl::OkStatus();
  return StepInTerm(m);
}

bool Raft::StepOtherTerm(const eraftpb::Message& m) {
  if (m.term() < term_) {
    StepLowerTerm(m);
    return true;
  }
  const eraftpb::MessageType type = m.msg_type();
  const bool pre_vote = type == eraftpb::MsgRequestPreVote;
  if (pre_vote || type == eraftpb::MsgRequestVote) {
    // Whoever follows a living leader helps nobody to replace it, unless the leader wants it.
    if (m.context() != kCampaignTransfer && InLease()) {
      RAFT_TELL(config_.log, kInfo,
                "{:x} [logterm: {}, index: {}, vote: {:x}] ignored {} from {:x} [logterm: {}, "
                "index: {}] at term {}: lease is not expired (remaining ticks: {})",
                id(), log_.last().term, log_.last().index, vote_, MessageName(type), m.from(),
                m.log_term(), m.index(), term_, config_.election_tick - election_elapsed_);
      return true;
    }
  }
  // A question about a future term and the yes to one leave the present term alone.
  if (pre_vote || (type == eraftpb::MsgRequestPreVoteResponse && !m.reject())) return false;
  RAFT_TELL(config_.log, kInfo,
            "{:x} [term: {}] received a {} message with higher term from {:x} [term: {}]", id(),
            term_, MessageName(type), m.from(), m.term());
  const bool from_leader =
      type == eraftpb::MsgAppend || type == eraftpb::MsgHeartbeat || type == eraftpb::MsgSnapshot;
  BecomeFollower(m.term(), from_leader ? m.from() : 0);
  return false;
}

void Raft::StepLowerTerm(const eraftpb::Message& m) {
  const eraftpb::MessageType type = m.msg_type();
  if ((config_.check_quorum || config_.pre_vote) &&
      (type == eraftpb::MsgHeartbeat || type == eraftpb::MsgAppend)) {
    // A leader of an older term must learn of this one from somebody: where votes are refused for
    // the sake of a living leader, this replica could otherwise neither win nor rejoin.
    Send(To(m.from(), eraftpb::MsgAppendResponse));
  } else if (type == eraftpb::MsgRequestPreVote) {
    // Likewise a candidate whose longer log keeps others from winning has to hear of the term.
    RAFT_TELL(config_.log, kInfo,
              "{:x} [logterm: {}, index: {}, vote: {:x}] rejected {} from {:x} [logterm: {}, "
              "index: {}] at term {}",
              id(), log_.last().term, log_.last().index, vote_, MessageName(type), m.from(),
              m.log_term(), m.index(), term_);
    eraftpb::Message answer = To(m.from(), eraftpb::MsgRequestPreVoteResponse);
    answer.set_reject(true);
    Send(std::move(answer));
  } else {
    RAFT_TELL(config_.log, kInfo,
              "{:x} [term: {}] ignored a {} message with lower term from {:x} [term: {}]", id(),
              term_, MessageName(type), m.from(), m.term());
  }
}

absl::Status Raft::StepInTerm(eraftpb::Message& m) {
  switch (m.msg_type()) {
    case eraftpb::MsgRequestVote:
    case eraftpb::MsgRequestPreVote:
      OnVoteRequest(m);
      return absl::OkStatus();
    case eraftpb::MsgRequestVoteResponse:
    case eraftpb::MsgRequestPreVoteResponse:
      OnVoteResponse(m);
      return absl::OkStatus();
    case eraftpb::MsgPropose:
      return Propose(m);
    case eraftpb::MsgAppend:
    case eraftpb::MsgHeartbeat:
    case eraftpb::MsgSnapshot:
      return StepFromLeader(m);
    case eraftpb::MsgTimeoutNow:
      OnTimeoutNow(m);
      return absl::OkStatus();
    case eraftpb::MsgTransferLeader:
      TransferLeader(m.from());
      return absl::OkStatus();
    case eraftpb::MsgReadIndex:
      if (m.entries_size() != 1) return InvalidArgument("raft: MsgReadIndex without a context");
      ReadIndex(m.from(), std::move(*m.mutable_entries(0)->mutable_data()));
      return absl::OkStatus();
    case eraftpb::MsgReadIndexResp:
      if (m.entries_size() != 1) return InvalidArgument("raft: MsgReadIndexResp without a context");
      if (role() == Role::kFollower) {
        read_states_.push_back({m.index(), std::move(*m.mutable_entries(0)->mutable_data())});
      }
      return absl::OkStatus();
    case eraftpb::MsgAppendResponse:
    case eraftpb::MsgHeartbeatResponse:
      return StepLeader(m);
    default:
      return InvalidArgument("raft: {} does not travel", MessageName(m.msg_type()));
  }
}

absl::Status Raft::Propose(eraftpb::Message& m) {
  if (m.entries_size() == 0) return InvalidArgument("raft: an empty proposal");
  if (lead() != nullptr) return ProposeAsLeader(m);
  if (leader_ == 0 || role() != Role::kFollower) {
    RAFT_TELL(config_.log, kInfo, "{:x} no leader at term {}; dropping proposal", id(), term_);
    return Unavailable("raft: no leader");
  }
  if (config_.disable_proposal_forwarding) {
    RAFT_TELL(config_.log, kInfo,
              "{:x} not forwarding to leader {:x} at term {}; dropping proposal", id(), leader_,
              term_);
    return Unavailable("raft: not leader, {} is", leader_);
  }
  ForwardToLeader(m);
  return absl::OkStatus();
}

}  // namespace tikv::raft
