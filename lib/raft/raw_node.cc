#include "lib/raft/raw_node.h"

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/raft/raft.h"
#include "lib/raft/text.h"

namespace tikv::raft {
namespace {

// The types that travel between replicas.
bool Travels(eraftpb::MessageType type) {
  switch (type) {
    case eraftpb::MsgPropose:
    case eraftpb::MsgAppend:
    case eraftpb::MsgAppendResponse:
    case eraftpb::MsgRequestVote:
    case eraftpb::MsgRequestVoteResponse:
    case eraftpb::MsgSnapshot:
    case eraftpb::MsgHeartbeat:
    case eraftpb::MsgHeartbeatResponse:
    case eraftpb::MsgTransferLeader:
    case eraftpb::MsgTimeoutNow:
    case eraftpb::MsgReadIndex:
    case eraftpb::MsgReadIndexResp:
    case eraftpb::MsgRequestPreVote:
    case eraftpb::MsgRequestPreVoteResponse:
      return true;
    default:
      return false;
  }
}

bool IsResponse(eraftpb::MessageType type) {
  switch (type) {
    case eraftpb::MsgAppendResponse:
    case eraftpb::MsgRequestVoteResponse:
    case eraftpb::MsgHeartbeatResponse:
    case eraftpb::MsgReadIndexResp:
    case eraftpb::MsgRequestPreVoteResponse:
      return true;
    default:
      return false;
  }
}

// No group gets that far: a term counts elections, an index entries.  What is larger would wrap.
constexpr uint64_t kMostPossible = uint64_t{1} << 62;

// Forwarded requests belong to no term.
bool HasNoTerm(eraftpb::MessageType type) {
  return type == eraftpb::MsgPropose || type == eraftpb::MsgReadIndex;
}

absl::Status Validate(const eraftpb::Message& m, const Raft& raft) {
  const eraftpb::MessageType type = m.msg_type();
  if (!Travels(type)) return InvalidArgument("raft: {} does not travel", MessageName(type));
  if (m.to() != raft.id()) return InvalidArgument("raft: a message for {}", m.to());
  // A transfer request names its target as the sender, which may be this leader.
  if (m.from() == 0 || (m.from() == raft.id() && type != eraftpb::MsgTransferLeader)) {
    return InvalidArgument("raft: a message from {}", m.from());
  }
  if ((m.term() == 0) != HasNoTerm(type)) {
    return InvalidArgument("raft: {} of term {}", MessageName(type), m.term());
  }
  // Where nobody forwards, whoever sends one is no replica, and what it holds nobody has checked.
  if (type == eraftpb::MsgPropose && raft.config().disable_proposal_forwarding) {
    return InvalidArgument("raft: {} forwards a proposal", m.from());
  }
  const eraftpb::SnapshotMetadata& snapshot = m.snapshot().metadata();
  if (std::max({m.term(), m.index(), snapshot.index(), snapshot.term()}) > kMostPossible) {
    return InvalidArgument("raft: {} of term {} for index {}", MessageName(type), m.term(),
                           std::max(m.index(), snapshot.index()));
  }
  if (IsResponse(type) && !raft.members().Has(m.from())) {
    return NotFound("raft: {} from {}, which is no member", MessageName(type), m.from());
  }
  return absl::OkStatus();
}

eraftpb::Message Proposal(eraftpb::EntryType type, std::string data, std::string context) {
  eraftpb::Message m;
  m.set_msg_type(eraftpb::MsgPropose);
  eraftpb::Entry* entry = m.add_entries();
  entry->set_entry_type(type);
  entry->set_data(std::move(data));
  entry->set_context(std::move(context));
  return m;
}

absl::StatusOr<LogPosition> Submit(Raft* raft, eraftpb::Message m) {
  RETURN_IF_ERROR(raft->Propose(m));
  if (raft->leadership() == nullptr) return LogPosition{};
  return LogPosition{raft->term(), raft->log().last_index()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawNode>> RawNode::Create(const Config& config, LogStorage* storage,
                                                         Random* random) {
  ASSIGN_OR_RETURN(std::unique_ptr<Raft> raft, Raft::Create(config, storage, random));
  return std::unique_ptr<RawNode>(new RawNode(std::move(raft)));
}

RawNode::RawNode(std::unique_ptr<Raft> raft) : raft_(std::move(raft)) {}
RawNode::~RawNode() = default;

void RawNode::Tick() { raft_->Tick(); }
void RawNode::SetStamp(uint64_t stamp) { raft_->set_stamp(stamp); }

absl::Status RawNode::Step(eraftpb::Message message) {
  RETURN_IF_ERROR(Validate(message, *raft_));
  return raft_->Step(message);
}

absl::StatusOr<LogPosition> RawNode::Propose(std::string data, std::string context) {
  return Submit(raft_.get(), Proposal(eraftpb::EntryNormal, std::move(data), std::move(context)));
}

absl::StatusOr<LogPosition> RawNode::ProposeConfChange(const eraftpb::ConfChange& change) {
  RETURN_IF_ERROR(raft_->CheckConfChange(ToV2(change)));
  return Submit(raft_.get(), Proposal(eraftpb::EntryConfChange, change.SerializeAsString(), {}));
}

absl::StatusOr<LogPosition> RawNode::ProposeConfChange(const eraftpb::ConfChangeV2& change) {
  RETURN_IF_ERROR(raft_->CheckConfChange(change));
  return Submit(raft_.get(), Proposal(eraftpb::EntryConfChangeV2, change.SerializeAsString(), {}));
}

absl::StatusOr<eraftpb::ConfState> RawNode::ApplyConfChange(const eraftpb::ConfChange& change) {
  return raft_->ApplyConfChange(ToV2(change));
}

absl::StatusOr<eraftpb::ConfState> RawNode::ApplyConfChange(const eraftpb::ConfChangeV2& change) {
  return raft_->ApplyConfChange(change);
}

void RawNode::Campaign() { raft_->Campaign(); }
void RawNode::Ping() { raft_->StartRound(); }
void RawNode::ForgetLeader() { raft_->ForgetLeader(); }
void RawNode::TransferLeader(uint64_t to) { raft_->TransferLeader(to); }
void RawNode::ReadIndex(std::string context) { raft_->ReadIndex(id(), std::move(context)); }
void RawNode::ReportUnreachable(uint64_t peer) { raft_->ReportUnreachable(peer); }
void RawNode::ReportSnapshot(uint64_t peer, bool success) { raft_->ReportSnapshot(peer, success); }

bool RawNode::HasReady() const { return raft_->HasReady(); }
Ready RawNode::TakeReady() { return raft_->TakeReady(); }

std::vector<eraftpb::Message> RawNode::OnPersisted(AfterPersist after) {
  std::vector<eraftpb::Message> out;
  for (eraftpb::Message& m : after.messages) {
    if (m.to() == id()) {
      // Its own vote or acknowledgement; by now it may be one of a past term, which is ignored.
      (void)raft_->Step(m);
    } else {
      out.push_back(std::move(m));
    }
  }
  if (after.ack.has_value()) raft_->Acknowledge(*after.ack);
  return out;
}

void RawNode::OnApplied(uint64_t index) { raft_->AppliedTo(index); }

uint64_t RawNode::LeaseStamp() const { return raft_->LeaseStamp(); }
bool RawNode::IsLeader() const { return raft_->leadership() != nullptr; }
uint64_t RawNode::id() const { return raft_->id(); }
uint64_t RawNode::leader() const { return raft_->leader_id(); }
Role RawNode::role() const { return raft_->role(); }
uint64_t RawNode::term() const { return raft_->term(); }
uint64_t RawNode::commit() const { return raft_->log().committed(); }
uint64_t RawNode::applied() const { return raft_->log().applied(); }
uint64_t RawNode::last_index() const { return raft_->log().last_index(); }
bool RawNode::CommittedInTerm() const { return raft_->CommittedInTerm(); }
eraftpb::ConfState RawNode::conf_state() const { return raft_->members().ToConfState(); }

bool RawNode::HasPendingConfChange() const {
  const Leadership* l = raft_->leadership();
  return l != nullptr && l->pending_conf_index > raft_->log().applied();
}

uint64_t RawNode::transferee() const {
  const Leadership* l = raft_->leadership();
  return l == nullptr ? 0 : l->transferee;
}

Status RawNode::GetStatus() const {
  Status s;
  s.id = id();
  s.hard_state.set_term(raft_->term());
  s.hard_state.set_vote(raft_->vote());
  s.hard_state.set_commit(commit());
  s.soft_state = {leader(), role()};
  s.applied = applied();
  s.last_index = last_index();
  s.transferee = transferee();
  s.conf_state = conf_state();
  if (const Leadership* l = raft_->leadership()) {
    for (const Progress& peer : l->peers.all()) s.peers.push_back(peer.ToStatus());
  }
  return s;
}

void RawNode::CheckInvariants() const { raft_->CheckInvariants(); }
void RawNode::SetElectionTimeout(int ticks) { raft_->set_election_timeout(ticks); }

}  // namespace tikv::raft
