// What clients and other members ask for: changes, reads, leases, membership.
#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/replica/replica.h"

namespace tikv::pd::meta {
namespace {

// As etcd: five seconds, and two elections on top.
constexpr Duration kRequestTimeout = std::chrono::seconds(7);
constexpr Duration kTransferTimeout = std::chrono::seconds(5);
constexpr uint64_t kTicksPerReadIndex = 5;  // After which an unanswered one is asked again.
constexpr size_t kMaxWaiting = 100'000;
// A follower this close to the end of the log counts as caught up.
constexpr uint64_t kCaughtUpEntries = 100;

bool Puts(const etcdserverpb::TxnRequest& txn) {
  auto puts = [](const etcdserverpb::RequestOp& op) {
    return op.has_request_put() || (op.has_request_txn() && Puts(op.request_txn()));
  };
  return std::any_of(txn.success().begin(), txn.success().end(), puts) ||
         std::any_of(txn.failure().begin(), txn.failure().end(), puts);
}

bool RemovesMember(CallMethod method, const std::string& payload, uint64_t member) {
  if (method != CallMethod::kMembership) return false;
  absl::StatusOr<MembershipEntry> entry = DecodeMembership(payload);
  return entry.ok() && entry->op == MembershipOp::kRemove && entry->member.id() == member;
}

// What only deletes must pass: it is the way out.
bool NeedsSpace(const Command& command) {
  if (command.type == CommandType::kTxn) {
    etcdserverpb::TxnRequest txn;
    return txn.ParseFromArray(command.payload.data(), static_cast<int>(command.payload.size())) &&
           Puts(txn);
  }
  return command.type == CommandType::kPut || command.type == CommandType::kLeaseGrant;
}

}  // namespace

MonotonicTime Replica::Deadline() const { return deps_.clock->Now() + kRequestTimeout; }

// --- Changes ------------------------------------------------------------------------------------

void Replica::Submit(CommandType type, const google::protobuf::MessageLite& request,
                     uint64_t leader_term, Callback<absl::StatusOr<Response>> done) {
  const uint64_t id = NextRequestId();
  deps_.strand->Post([this, id, leader_term, payload = EncodeCommand(id, type, request),
                      done = std::move(done)]() mutable {
    Begin(id, CallMethod::kPropose, std::move(payload), leader_term, std::move(done));
  });
}

void Replica::ChangeMembership(MembershipOp op, const etcdserverpb::Member& member,
                               Callback<absl::Status> done) {
  const uint64_t id = NextRequestId();
  deps_.strand->Post(
      [this, id, payload = EncodeMembership({id, op, member}), done = std::move(done)]() mutable {
        Begin(id, CallMethod::kMembership, std::move(payload), 0,
              [done = std::move(done)](absl::StatusOr<Response> response) mutable {
                std::move(done)(response.status());
              });
      });
}

void Replica::Begin(uint64_t request_id, CallMethod method, std::string payload,
                    uint64_t leader_term, Callback<absl::StatusOr<Response>> done) {
  if (failed_ || removed_self_) return std::move(done)(ErrStopped());
  // Raft is asked too: it may have stepped down with the view not yet updated, and the command
  // would go to the next leader, who would take it for one of its own term.
  if (leader_term != 0 && (view_.leader_term.load(std::memory_order_relaxed) != leader_term ||
                           !node_->IsLeader() || node_->term() != leader_term)) {
    return std::move(done)(ErrPdNotLeader());
  }
  if (waiters_.size() >= kMaxWaiting) return std::move(done)(ErrTooManyRequests());
  const MonotonicTime deadline = Deadline();
  waiters_[request_id] = {std::move(done), deadline, 0,
                          RemovesMember(method, payload, member_id())};
  if (leader_term != 0) {
    OnProposed(request_id, ServePropose(payload, /*own=*/true));
    return DriveSoon();
  }
  SendToLeader(method, std::move(payload), deadline,
               [this, request_id](absl::StatusOr<std::string> position) {
                 OnProposed(request_id, std::move(position));
               });
  DriveSoon();
}

void Replica::OnProposed(uint64_t request_id, absl::StatusOr<std::string> position) {
  auto it = waiters_.find(request_id);
  if (it == waiters_.end()) return;  // Applied already.
  uint64_t term, index;
  if (!position.ok()) return Complete(request_id, position.status());
  if (!DecodeNumbers(*position, &term, &index)) return;
  it->second.index = index;
  if (index <= deps_.machine->applied_index()) return Complete(request_id, ErrLeaderChanged());
  placed_[index] = {term, request_id};
}

absl::StatusOr<std::string> Replica::ServePropose(const std::string& payload, bool own) {
  if (!own && view_.no_space.load(std::memory_order_relaxed)) {
    ASSIGN_OR_RETURN(Command command, DecodeCommand(payload));
    if (NeedsSpace(command)) return ErrNoSpace();
  }
  absl::StatusOr<raft::LogPosition> position = node_->Propose(payload);
  if (absl::IsResourceExhausted(position.status())) return ErrTooManyRequests();
  if (!position.ok()) return ErrLeaderChanged();
  return EncodeNumbers(position->term, position->index);
}

// --- Calls to the leader ------------------------------------------------------------------------

void Replica::SendToLeader(CallMethod method, std::string payload, MonotonicTime deadline,
                           ReplyCallback done) {
  if (node_->IsLeader()) return ServeCall(method, payload, std::move(done));
  const uint64_t leader = node_->leader();
  if (leader == 0) {
    if (unsent_.size() >= kMaxWaiting) return std::move(done)(ErrTooManyRequests());
    unsent_.push_back({method, std::move(payload), deadline, std::move(done)});
    return;
  }
  const uint64_t id = next_call_++;
  calls_[id] = {std::move(done), deadline};
  deps_.transport->Send(
      leader,
      Frame{.type = FrameType::kCall, .id = id, .method = method, .payload = std::move(payload)});
}

void Replica::FlushUnsent() {
  if (unsent_.empty() || node_->leader() == 0) return;
  std::deque<Unsent> unsent = std::exchange(unsent_, {});
  for (Unsent& u : unsent) {
    SendToLeader(u.method, std::move(u.payload), u.deadline, std::move(u.done));
  }
  DriveSoon();
}

void Replica::ServeCall(CallMethod method, const std::string& payload, ReplyCallback done) {
  if (!node_->IsLeader()) return std::move(done)(ErrLeaderChanged());
  uint64_t number = 0, unused;
  switch (method) {
    case CallMethod::kPropose:
      return std::move(done)(ServePropose(payload, /*own=*/false));
    case CallMethod::kMembership:
      return ServeMembership(payload, std::move(done));
    case CallMethod::kRenewLease:
    case CallMethod::kLeaseRemaining: {
      if (!leading() || !HoldsLease() || !DecodeNumbers(payload, &number, &unused)) {
        return std::move(done)(ErrLeaderChanged());
      }
      const auto id = static_cast<int64_t>(number);
      const auto now = deps_.clock->Now();
      std::optional<int64_t> answer =
          method == CallMethod::kRenewLease ? lessor_.Renew(id, now) : lessor_.Remaining(id, now);
      if (!answer) return std::move(done)(ErrLeaseNotFound());
      return std::move(done)(EncodeNumbers(static_cast<uint64_t>(*answer)));
    }
    case CallMethod::kTransferLeader: {
      if (!DecodeNumbers(payload, &number, &unused)) break;
      absl::Status status = ServeTransfer(number);
      return status.ok() ? std::move(done)(std::string()) : std::move(done)(status);
    }
  }
  std::move(done)(ErrNotCapable());
}

// --- Leases -------------------------------------------------------------------------------------

void Replica::RenewLease(int64_t id, Callback<absl::StatusOr<int64_t>> ttl) {
  AskLease(CallMethod::kRenewLease, id, std::move(ttl));
}

void Replica::LeaseRemaining(int64_t id, Callback<absl::StatusOr<int64_t>> seconds) {
  AskLease(CallMethod::kLeaseRemaining, id, std::move(seconds));
}

void Replica::AskLease(CallMethod method, int64_t id, Callback<absl::StatusOr<int64_t>> seconds) {
  deps_.strand->Post([this, method, id, seconds = std::move(seconds)]() mutable {
    if (failed_ || removed_self_) return std::move(seconds)(ErrStopped());
    SendToLeader(method, EncodeNumbers(static_cast<uint64_t>(id)), Deadline(),
                 [seconds = std::move(seconds)](absl::StatusOr<std::string> reply) mutable {
                   uint64_t left = 0, unused;
                   if (reply.ok() && !DecodeNumbers(*reply, &left, &unused)) {
                     reply = ErrNotCapable();
                   }
                   if (!reply.ok()) return std::move(seconds)(reply.status());
                   std::move(seconds)(static_cast<int64_t>(left));
                 });
  });
}

// --- Membership ---------------------------------------------------------------------------------

void Replica::ServeMembership(const std::string& payload, ReplyCallback done) {
  absl::StatusOr<MembershipEntry> entry = DecodeMembership(payload);
  if (!entry.ok()) return std::move(done)(entry.status());
  const bool ourselves =
      entry->op == MembershipOp::kRemove && entry->member.id() == options_.member_id;
  if (ourselves && node_->conf_state().voters_size() > 1) {
    if (absl::Status s = CheckMembership(entry->op, entry->member); !s.ok()) {
      return std::move(done)(std::move(s));
    }
    return HandOverAndLeave(payload, std::move(done));
  }
  std::move(done)(ProposeMembership(*entry, payload));
}

void Replica::HandOverAndLeave(std::string payload, ReplyCallback done) {
  const uint64_t to = BestTransferee();
  if (to == 0) return std::move(done)(ErrUnhealthy());
  BeginTransfer(
      to, [this, payload = std::move(payload), done = std::move(done)](absl::Status s) mutable {
        if (!s.ok()) return std::move(done)(std::move(s));
        AskNextLeader(std::move(payload), Deadline(), std::move(done));
      });
}

void Replica::AskNextLeader(std::string payload, MonotonicTime deadline, ReplyCallback done) {
  constexpr Duration kPause = std::chrono::milliseconds(50);
  std::string copy = payload;
  SendToLeader(CallMethod::kMembership, std::move(copy), deadline,
               [this, payload = std::move(payload), deadline,
                done = std::move(done)](absl::StatusOr<std::string> position) mutable {
                 // It may not have heard from a majority yet, nor applied what it inherited.
                 if (!absl::IsUnavailable(position.status()) || deps_.clock->Now() >= deadline) {
                   return std::move(done)(std::move(position));
                 }
                 deps_.strand->PostAfter(kPause, [this, payload = std::move(payload), deadline,
                                                  done = std::move(done)]() mutable {
                   if (failed_ || removed_self_) return std::move(done)(ErrStopped());
                   AskNextLeader(std::move(payload), deadline, std::move(done));
                   DriveSoon();
                 });
               });
}

absl::StatusOr<std::string> Replica::ProposeMembership(const MembershipEntry& entry,
                                                       const std::string& payload) {
  RETURN_IF_ERROR(CheckMembership(entry.op, entry.member));
  eraftpb::ConfChange change;
  change.set_node_id(entry.member.id());
  change.set_context(payload);
  switch (entry.op) {
    case MembershipOp::kAdd:
      // First as a learner, so that a member which never starts cannot cost the majority; made a
      // voter once it has caught up (PromoteCaughtUp).
    case MembershipOp::kAddLearner:
      change.set_change_type(eraftpb::AddLearnerNode);
      break;
    case MembershipOp::kPromote:
      change.set_change_type(eraftpb::AddNode);
      break;
    case MembershipOp::kRemove:
      change.set_change_type(eraftpb::RemoveNode);
      break;
  }
  absl::StatusOr<raft::LogPosition> position = node_->ProposeConfChange(change);
  if (absl::IsFailedPrecondition(position.status())) return ErrUnhealthy();
  if (!position.ok()) return ErrLeaderChanged();
  return EncodeNumbers(position->term, position->index);
}

absl::Status Replica::CheckMembership(MembershipOp op, const etcdserverpb::Member& member) {
  if (node_->HasPendingConfChange()) return ErrUnhealthy();
  const auto& members = deps_.machine->members();
  auto known = members.find(member.id());
  if (op == MembershipOp::kAdd || op == MembershipOp::kAddLearner) {
    if (known != members.end() || deps_.machine->WasRemoved(member.id())) return ErrMemberExist();
    for (const auto& [id, other] : members) {
      for (const std::string& url : member.peerurls()) {
        const auto& urls = other.peerurls();
        if (std::find(urls.begin(), urls.end(), url) != urls.end()) return ErrPeerUrlExist();
      }
    }
    return absl::OkStatus();
  }
  if (known == members.end()) return ErrMemberNotFound();
  if (op == MembershipOp::kRemove) return CheckQuorumWithout(member.id());
  const eraftpb::ConfState conf = node_->conf_state();
  const auto& learners = conf.learners();
  if (std::find(learners.begin(), learners.end(), member.id()) == learners.end()) {
    return ErrMemberNotLearner();
  }
  for (const raft::PeerStatus& peer : node_->GetStatus().peers) {
    if (peer.id == member.id() && peer.recent_active &&
        peer.match + kCaughtUpEntries >= node_->last_index()) {
      return absl::OkStatus();
    }
  }
  return ErrLearnerNotReady();
}

absl::Status Replica::CheckQuorumWithout(uint64_t member) {
  const eraftpb::ConfState conf = node_->conf_state();
  const auto& voters = conf.voters();
  if (std::find(voters.begin(), voters.end(), member) == voters.end()) return absl::OkStatus();
  const int left = voters.size() - 1;
  if (left == 0) return ErrNotEnoughStarted();
  int active = member == options_.member_id ? 0 : 1;
  for (const raft::PeerStatus& peer : node_->GetStatus().peers) {
    if (peer.id != member && peer.id != options_.member_id && !peer.learner && peer.recent_active) {
      ++active;
    }
  }
  return active > left / 2 ? absl::OkStatus() : ErrUnhealthy();
}

// --- Handing leadership over --------------------------------------------------------------------

void Replica::TransferLeader(uint64_t to, Callback<absl::Status> done) {
  deps_.strand->Post(
      [this, to, done = std::move(done)]() mutable { BeginTransfer(to, std::move(done)); });
}

void Replica::Resign(Callback<absl::Status> done) {
  deps_.strand->Post([this, done = std::move(done)]() mutable {
    if (failed_ || !node_->IsLeader()) return std::move(done)(ErrPdNotLeader());
    const uint64_t to = BestTransferee();
    if (to == 0) {
      return std::move(done)(FailedPrecondition("no other member can take the leadership over"));
    }
    BeginTransfer(to, std::move(done));
  });
}

void Replica::BeginTransfer(uint64_t to, Callback<absl::Status> done) {
  if (failed_ || !node_->IsLeader()) return std::move(done)(ErrPdNotLeader());
  if (absl::Status status = ServeTransfer(to); !status.ok()) return std::move(done)(status);
  transfers_.push_back({to, std::move(done), deps_.clock->Now() + kTransferTimeout});
  // The lease is void from this moment, and so must be what others see of it.
  Drive();
}

absl::Status Replica::ServeTransfer(uint64_t to) {
  if (to == options_.member_id) return absl::OkStatus();
  for (const raft::PeerStatus& peer : node_->GetStatus().peers) {
    if (peer.id != to || peer.learner || !peer.recent_active) continue;
    node_->TransferLeader(to);
    return absl::OkStatus();
  }
  return ErrBadLeaderTransferee();
}

void Replica::FinishTransfers() {
  const MonotonicTime now = deps_.clock->Now();
  std::vector<Transfer> open;
  for (Transfer& transfer : std::exchange(transfers_, {})) {
    if (node_->leader() == transfer.to) {
      std::move(transfer.done)(absl::OkStatus());
    } else if (transfer.deadline <= now) {
      std::move(transfer.done)(ErrTimeout());
    } else {
      open.push_back(std::move(transfer));
    }
  }
  for (Transfer& transfer : open) transfers_.push_back(std::move(transfer));
}

uint64_t Replica::BestTransferee() const {
  uint64_t best = 0, match = 0;
  for (const raft::PeerStatus& peer : node_->GetStatus().peers) {
    if (peer.id == options_.member_id || peer.learner || !peer.recent_active) continue;
    if (best == 0 || peer.match > match) std::tie(best, match) = std::pair(peer.id, peer.match);
  }
  return best;
}

// --- Reads --------------------------------------------------------------------------------------

void Replica::Linearize(Callback<absl::Status> done) {
  // Order: the commit index is read before the lease, so that a lease which still holds covers it.
  const uint64_t commit = view_.commit.load(std::memory_order_acquire);
  if (view_.leader_term.load(std::memory_order_acquire) != 0 &&
      view_.applied.load(std::memory_order_acquire) >= commit && HoldsLease()) {
    return std::move(done)(absl::OkStatus());
  }
  deps_.strand->Post([this, done = std::move(done)]() mutable {
    if (failed_ || removed_self_) return std::move(done)(ErrStopped());
    if (waiting_reads_.size() >= kMaxWaiting) return std::move(done)(ErrTooManyRequests());
    waiting_reads_.push_back({std::move(done), Deadline()});
    if (asked_reads_.empty()) AskReadIndex();
    DriveSoon();
  });
}

void Replica::AskReadIndex() {
  if (!asked_reads_.empty() && ticks_ - read_asked_tick_ < kTicksPerReadIndex) return;
  std::move(waiting_reads_.begin(), waiting_reads_.end(), std::back_inserter(asked_reads_));
  waiting_reads_.clear();
  read_asked_tick_ = ticks_;
  node_->ReadIndex(EncodeNumbers(request_prefix_ ^ options_.member_id, ++read_seq_));
}

void Replica::OnReadState(const raft::ReadState& state) {
  uint64_t who, seq;
  if (!DecodeNumbers(state.context, &who, &seq) || seq != read_seq_) return;
  for (Read& read : std::exchange(asked_reads_, {})) {
    confirmed_reads_.emplace(state.index, std::move(read));
  }
  if (!waiting_reads_.empty()) {
    AskReadIndex();
    DriveSoon();
  }
}

void Replica::ReleaseReads() {
  const uint64_t applied = deps_.machine->applied_index();
  while (!confirmed_reads_.empty() && confirmed_reads_.begin()->first <= applied) {
    Read read = std::move(confirmed_reads_.extract(confirmed_reads_.begin()).mapped());
    std::move(read.done)(absl::OkStatus());
  }
}

void Replica::ExpireWaiting() {
  const MonotonicTime now = deps_.clock->Now();
  std::vector<uint64_t> expired;
  for (auto& [id, waiter] : waiters_) {
    if (waiter.deadline <= now) expired.push_back(id);
  }
  for (uint64_t id : expired) Complete(id, ErrTimeout());
  for (auto it = calls_.begin(); it != calls_.end();) {
    auto call = it++;
    if (call->second.deadline <= now) std::move(calls_.extract(call).mapped().done)(ErrTimeout());
  }
  while (!unsent_.empty() && unsent_.front().deadline <= now) {
    Unsent unsent = std::move(unsent_.front());
    unsent_.pop_front();
    std::move(unsent.done)(ErrNoLeader());
  }
  auto expire_reads = [now](std::vector<Read>* reads) {
    for (Read& read : *reads) {
      if (read.deadline <= now) std::move(read.done)(ErrTimeout());
    }
    std::erase_if(*reads, [now](const Read& read) { return read.deadline <= now; });
  };
  expire_reads(&waiting_reads_);
  expire_reads(&asked_reads_);
  // A member that was cut off after it asked may never see the entry it waits for.
  for (auto it = confirmed_reads_.begin(); it != confirmed_reads_.end();) {
    auto read = it++;
    if (read->second.deadline > now) continue;
    std::move(confirmed_reads_.extract(read).mapped().done)(ErrTimeout());
  }
}

}  // namespace tikv::pd::meta
