#include "server/raftstore/peer/peer.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "server/codec/keys.h"
#include "server/raftstore/apply/entry_data.h"

namespace tikv::server {

Peer::Peer(const PeerContext& context, PeerId id, metapb::Region region, ApplyState state,
           uint64_t nonce)
    : context_(context),
      id_(id),
      applier_(std::move(region), state),
      storage_(context.log, applier_.region().id(), ConfStateOf(applier_.region()), state.applied),
      reads_(id.value, nonce) {}

Peer::~Peer() { Retire(); }

absl::StatusOr<std::unique_ptr<Peer>> Peer::Create(const PeerContext& context, PeerId id,
                                                   metapb::Region region, ApplyState state,
                                                   bool restarted) {
  std::unique_ptr<Peer> peer(
      new Peer(context, id, std::move(region), state, context.random->Next()));
  raft::Config config;
  config.id = id.value;
  config.applied = state.applied;
  config.restarted = restarted;
  config.election_tick = context.config->election_ticks;
  config.heartbeat_tick = context.config->heartbeat_ticks;
  config.max_uncommitted_size = context.config->max_uncommitted_bytes;
  config.log = context.events;
  ASSIGN_OR_RETURN(peer->node_, raft::RawNode::Create(config, &peer->storage_, context.random));
  if (state.applied > 0) {
    ASSIGN_OR_RETURN(const uint64_t term, peer->storage_.Term(state.applied));
    peer->applier_.set_applied_term(term);
  }
  return peer;
}

const metapb::Peer* Peer::Leader() const {
  const uint64_t leader = node_->leader();
  if (leader == 0) return nullptr;
  if (const metapb::Peer* peer = FindPeerById(region(), leader)) return peer;
  const auto it = known_peers_.find(leader);
  return it != known_peers_.end() ? &it->second : nullptr;
}

metapb::Peer Peer::Self() const {
  if (const metapb::Peer* peer = FindPeerById(region(), id_.value)) return *peer;
  metapb::Peer self;
  self.set_id(id_.value);
  self.set_store_id(context_.store.value);
  return self;
}

ReplicaState Peer::State() const {
  return {.store = context_.store,
          .peer = id_,
          .region = &region(),
          .initialized = initialized(),
          .applying_snapshot = installing_,
          .leads = IsLeader(),
          .leader = Leader(),
          .term = node_->term()};
}

RegionError Peer::EpochNotMatch(uint64_t known_version) const {
  return RegionError::EpochNotMatch(
      fmt::format("region {} has version {}, the request {}", region().id(),
                  region().region_epoch().version(), known_version),
      context_.neighbours->Around(region(), known_version));
}

void Peer::Step(const metapb::Peer& from, eraftpb::Message message) {
  if (!FindPeerById(region(), from.id())) {
    if (known_peers_.size() > 16) known_peers_.clear();
    known_peers_[from.id()] = from;
  }
  // Messages that do not fit (a peer that is not ours, a stale answer) are as good as lost.
  node_->Step(std::move(message)).IgnoreError();
}

void Peer::Tick(MonotonicTime now) {
  node_->SetStamp(static_cast<uint64_t>(now.nanos));
  node_->Tick();
  if (!reads_.empty()) {
    reads_.FailIf([now](const RequestHeader& header) {
      return now < header.deadline ? RegionError()
                                   : RegionError::ServerIsBusy("deadline is exceeded");
    });
    const Duration patience =
        context_.config->tick_interval * context_.config->read_index_retry_ticks;
    for (std::string& context : reads_.Overdue(now - patience, now)) {
      node_->ReadIndex(std::move(context));
    }
  }
  RefreshLease();
}

absl::Status Peer::TransferLeader(PeerId to) {
  if (!IsLeader()) return FailedPrecondition("peer {} is not leader", id_.value);
  if (to == id_) return absl::OkStatus();
  const raft::Status status = node_->GetStatus();
  for (const raft::PeerStatus& peer : status.peers) {
    if (peer.id != to.value) continue;
    if (peer.learner) return FailedPrecondition("peer {} is a learner", to.value);
    if (peer.state == raft::ReplicationState::kSnapshot ||
        peer.match + context_.config->max_transfer_lag < status.last_index) {
      return FailedPrecondition("peer {} is too far behind", to.value);
    }
    node_->TransferLeader(to.value);
    if (context_.metrics != nullptr) context_.metrics->CountAdmin("transfer_leader", "all");
    RefreshLease();  // Ends it: from now on the other one may lead any moment.
    return absl::OkStatus();
  }
  return NotFound("region {} has no peer {}", region().id(), to.value);
}

void Peer::MaybeCompactLog() {
  if (!IsLeader()) return;
  const raft::Status status = node_->GetStatus();
  uint64_t replicated = status.last_index;
  for (const raft::PeerStatus& peer : status.peers) {
    if (peer.id != id_.value) replicated = std::min(replicated, peer.match);
  }
  const uint64_t first = storage_.FirstIndex();
  uint64_t target = std::min(replicated, apply_state().applied);
  if (apply_state().applied > first + context_.config->log_gc_count_limit) {
    target = apply_state().applied;  // A replica that slow takes a snapshot.
  }
  if (HeldLogBytes(std::max(replicated, apply_state().truncated_index)) >
      context_.config->log_gc_size_limit) {
    // Half of it: a replica that lags by little needs none.
    target = std::max(target, first + (apply_state().applied - first) / 2);
  }
  if (target < first + context_.config->log_gc_threshold) return;
  const auto term = storage_.Term(target - 1);
  if (!term.ok()) return;
  raft_cmdpb::AdminRequest request;
  request.set_cmd_type(raft_cmdpb::AdminCmdType::CompactLog);
  request.mutable_compact_log()->set_compact_index(target - 1);
  request.mutable_compact_log()->set_compact_term(*term);
  ProposeAdmin(request, [](WriteResult) {});
}

uint64_t Peer::HeldLogBytes(uint64_t replicated) {
  const uint64_t applied = apply_state().applied;
  const uint64_t written = applier_.written_bytes();
  const uint64_t step = context_.config->log_gc_size_limit / 64;
  if (log_sizes_.empty() || written - log_sizes_.back().second > step) {
    log_sizes_.emplace_back(applied, written);
  }
  while (log_sizes_.size() > 1 && log_sizes_[1].first <= replicated) log_sizes_.pop_front();
  return written - log_sizes_.front().second;
}

std::optional<raft_serverpb::RaftMessage> Peer::Wrap(eraftpb::Message message) {
  const metapb::Peer* to = FindPeerById(region(), message.to());
  if (to == nullptr) {
    const auto it = known_peers_.find(message.to());
    if (it == known_peers_.end()) return std::nullopt;
    to = &it->second;
  }
  raft_serverpb::RaftMessage out;
  out.set_region_id(region().id());
  *out.mutable_from_peer() = Self();
  *out.mutable_to_peer() = *to;
  *out.mutable_region_epoch() = region().region_epoch();
  out.set_disk_usage(static_cast<disk_usage::DiskUsage>(context_.disks->own()));
  if (context_.disks->leaving()) out.set_extra_ctx(std::string(kLeavingMark));
  using eraftpb::MessageType;
  const bool may_create =
      message.msg_type() == MessageType::MsgRequestVote ||
      message.msg_type() == MessageType::MsgRequestPreVote ||
      (message.msg_type() == MessageType::MsgHeartbeat && message.commit() == 0);
  if (may_create && initialized()) {
    out.set_start_key(region().start_key());
    out.set_end_key(region().end_key());
  }
  *out.mutable_message() = std::move(message);
  return out;
}

raft::Ready Peer::TakeReady() {
  raft::Ready ready = node_->TakeReady();
  if (ready.soft_state.has_value()) OnRole(*ready.soft_state);
  for (raft::ReadState& state : ready.read_states) reads_.OnIndex(state.context, state.index);
  WatchForSplit(ready.committed_entries);
  TimeCommit(0);
  RefreshLease();
  return ready;
}

void Peer::OnRole(const raft::SoftState& state) {
  if (state.role == raft::Role::kLeader) {
    stats.heartbeat_due = true;
    return;
  }
  last_active.clear();
  timed_index_ = 0;
  EndLease();
  proposals_.FailAbove(node_->commit());
  std::vector<PendingWrite> writes = std::move(writes_);
  writes_.clear();
  for (PendingWrite& write : writes) {
    std::move(write.done)(WriteResult{RegionError::NotLeader(region_id(), Leader()), 0});
  }
  reads_.FailIf([&](const RequestHeader& header) {
    return header.replica_read ? RegionError() : RegionError::NotLeader(region_id(), Leader());
  });
}

// Followers may apply the split and serve the new regions before this replica does; from here on
// its lease says nothing about them.
void Peer::WatchForSplit(const std::vector<eraftpb::Entry>& committed) {
  for (const eraftpb::Entry& entry : committed) {
    if (entry.entry_type() != eraftpb::EntryType::EntryNormal || entry.data().empty()) continue;
    const auto kind = KindOfEntry(entry.data());
    if (!kind.ok() || *kind != EntryKind::kAdmin) continue;
    raft_cmdpb::AdminRequest request;
    if (!DecodeAdminEntry(entry.data(), &request).ok()) continue;
    if (request.cmd_type() == raft_cmdpb::AdminCmdType::BatchSplit) splitting_ = true;
  }
}

absl::Status Peer::ApplyInto(std::vector<eraftpb::Entry> entries, engine::WriteBatch* batch,
                             std::vector<ApplyEffect>* effects) {
  if (entries.empty()) return absl::OkStatus();
  for (const eraftpb::Entry& entry : entries) {
    ASSIGN_OR_RETURN(ApplyOutcome outcome, applier_.Apply(entry, batch));
    if (auto* change = std::get_if<PeersChanged>(&outcome.effect)) {
      RETURN_IF_ERROR(node_->ApplyConfChange(ToConfChange(change->changes, "")).status());
      for (const auto& peer : change->region.peers()) known_peers_[peer.id()] = peer;
      stats.heartbeat_due = true;
    }
    std::vector<ProposalDone> waiters = proposals_.TakeApplied(entry.term(), entry.index());
    if (!waiters.empty()) {
      completions_.push_back(
          {std::move(waiters), entry.index(), outcome.verdict, std::move(outcome.reason)});
    }
    if (!std::holds_alternative<std::monostate>(outcome.effect)) {
      effects->push_back(std::move(outcome.effect));
    }
  }
  applier_.SaveState(batch);
  return absl::OkStatus();
}

void Peer::FinishApply() {
  splitting_ = false;
  node_->OnApplied(apply_state().applied);
  RefreshLease();
  std::vector<Completion> completions = std::move(completions_);
  completions_.clear();
  for (Completion& completion : completions) {
    for (ProposalDone& done : completion.waiters) {
      WriteResult result{{}, completion.index};
      if (completion.verdict == ApplyVerdict::kEpochNotMatch) result.error = EpochNotMatch(0);
      if (completion.verdict == ApplyVerdict::kRefused) {
        result.error = RegionError::FromMessage(completion.reason);
      }
      std::move(done)(std::move(result));
    }
  }
  ServeReads();
}

void Peer::BeginInstall(raft::Ready ready) {
  CHECK(!installing_);
  CHECK(ready.committed_entries.empty()) << "entries behind a snapshot that is not installed";
  EndLease();
  installing_ = true;
  install_ready_ = std::move(ready);
}

std::vector<eraftpb::Message> Peer::InstallDone(metapb::Region region, ApplyState state) {
  CHECK(installing_);
  installing_ = false;
  applier_.Reset(std::move(region), state, state.truncated_term);
  range_ = nullptr;
  raft::Ready ready = std::move(install_ready_);
  install_ready_ = {};
  auto messages = node_->OnPersisted(std::move(ready.after_persist));
  node_->OnApplied(state.applied);
  ServeReads();
  return messages;
}

void Peer::Retire() {
  FailAll([&] { return RegionError::RegionNotFound(region_id()); });
}

void Peer::FailAll(absl::FunctionRef<RegionError()> error) {
  EndLease();
  proposals_.FailAll(error);
  std::vector<PendingWrite> writes = std::move(writes_);
  writes_.clear();
  for (PendingWrite& write : writes) std::move(write.done)(WriteResult{error(), 0});
  std::vector<Completion> completions = std::move(completions_);
  completions_.clear();
  for (Completion& completion : completions) {
    for (ProposalDone& done : completion.waiters) std::move(done)(WriteResult{error(), 0});
  }
  reads_.FailIf([&](const RequestHeader&) { return error(); });
}

}  // namespace tikv::server
