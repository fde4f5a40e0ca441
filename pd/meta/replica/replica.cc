#include "pd/meta/replica/replica.h"

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/replica/snapshot_file.h"

namespace tikv::pd::meta {
namespace {

using std::chrono::seconds;

constexpr Duration kAliveTimeout = seconds(3);
constexpr uint64_t kTicksPerHousekeeping = 10;

// Clocks of two machines may run apart by this much over an election's time.
constexpr double kClockDrift = 0.05;

}  // namespace

Replica::Replica(ReplicaOptions options, ReplicaDeps deps, uint64_t seed)
    : options_(options),
      deps_(deps),
      random_(seed, "meta-replica"),
      storage_(deps.log, deps.engine, deps.machine) {
  request_prefix_ = random_.Next() << 40;
}

Replica::~Replica() = default;

absl::StatusOr<std::unique_ptr<Replica>> Replica::Create(ReplicaOptions options, ReplicaDeps deps,
                                                         uint64_t seed) {
  const uint64_t applied = deps.machine->applied_index();
  if (applied < deps.log->TruncatedIndex(kRaftGroup)) {
    return DataLoss(
        "the metadata ends at entry {}, but the log begins after entry {}: the data "
        "directory is damaged",
        applied, deps.log->TruncatedIndex(kRaftGroup));
  }
  std::unique_ptr<Replica> replica(new Replica(options, deps, seed));
  raft::Config config;
  config.id = options.member_id;
  config.applied = applied;
  config.election_tick = options.election_ticks;
  config.heartbeat_tick = options.heartbeat_ticks;
  config.max_uncommitted_size = uint64_t{1} << 30;
  config.async_storage = false;
  // A member that comes back may have acknowledged a heartbeat just before it went.
  config.restarted = deps.log->GetHardState(kRaftGroup).term != 0;
  ASSIGN_OR_RETURN(replica->node_,
                   raft::RawNode::Create(config, &replica->storage_, &replica->random_));
  replica->PublishMembers();
  return replica;
}

void Replica::Start() {
  deps_.strand->Post([this] {
    PublishPeers();
    Stamp();
    // A cluster of one need not wait for anybody.
    const auto& conf = node_->conf_state();
    if (conf.voters_size() == 1 && conf.voters(0) == options_.member_id) node_->Campaign();
    Drive();
    deps_.strand->PostAfter(options_.tick, [this] { OnTick(); });
  });
}

void Replica::OnTick() {
  if (failed_ || removed_self_) return;
  deps_.strand->PostAfter(options_.tick, [this] { OnTick(); });
  Stamp();
  node_->Tick();
  ++ticks_;
  if (!waiting_reads_.empty() || !asked_reads_.empty()) AskReadIndex();
  if (leading()) {
    RevokeExpiredLeases();
    PromoteCaughtUp();
  }
  if (ticks_ % kTicksPerHousekeeping == 0) Housekeeping();
  if (history_pending_) CompactHistory();
  ExpireWaiting();
  Drive();
}

void Replica::Housekeeping() {
  for (const auto& [id, member] : deps_.machine->members()) {
    if (id != options_.member_id) deps_.transport->Send(id, Frame{.type = FrameType::kAlive});
  }
  CompactHistory();
  TruncateLog();
  if (!leading()) return;
  CheckQuota();
}

void Replica::Stamp() {
  // Not 0, which means none.
  node_->SetStamp(static_cast<uint64_t>(deps_.clock->Now().nanos) + 1);
}

void Replica::Fail(const absl::Status& status) {
  if (std::exchange(failed_, true)) return;
  // Not a promise more: whoever fails to write must not be believed to lead.
  LoseLeadership();
  deps_.events->OnFailed(status);
}

// --- Messages -----------------------------------------------------------------------------------

void Replica::OnFrame(uint64_t from, Frame frame) {
  {
    std::lock_guard lock(mutex_);
    heard_[from] = deps_.clock->Now();
  }
  if (frame.type == FrameType::kAlive) return;
  // Bounded: past the strand's bound frames are lost, as on any network.
  Task task = [this, from, frame = std::move(frame)]() mutable {
    if (!failed_ && !removed_self_) HandleFrame(from, std::move(frame));
  };
  deps_.strand->TryPost(std::move(task));
}

void Replica::HandleFrame(uint64_t from, Frame frame) {
  if (frame.type == FrameType::kRaft) {
    eraftpb::Message message;
    if (!message.ParseFromString(frame.payload) || message.from() != from) return;
    // Snapshots come with their file, by OnSnapshot; one without could not be installed.
    if (message.msg_type() == eraftpb::MsgSnapshot) return;
    Stamp();
    node_->Step(std::move(message)).IgnoreError();  // Unusable messages are the network's.
    DriveSoon();
  } else if (frame.type == FrameType::kCall) {
    ServeCall(frame.method, frame.payload,
              [this, from, id = frame.id](absl::StatusOr<std::string> result) {
                Frame reply{.type = FrameType::kReply, .id = id, .status = result.status()};
                if (result.ok()) reply.payload = *std::move(result);
                deps_.transport->Send(from, reply);
              });
    DriveSoon();
  } else if (frame.type == FrameType::kReply) {
    auto call = calls_.extract(frame.id);
    if (call.empty()) return;
    if (frame.status.ok()) {
      std::move(call.mapped().done)(std::move(frame.payload));
    } else {
      std::move(call.mapped().done)(frame.status);
    }
  }
}

void Replica::OnUnreachable(uint64_t peer) {
  deps_.strand->Post([this, peer] {
    if (failed_) return;
    node_->ReportUnreachable(peer);
    Drive();
  });
}

void Replica::OnRemoved() {
  deps_.strand->Post([this] {
    if (std::exchange(removed_self_, true)) return;
    LoseLeadership();
    // The last entry need not have reached us, but whoever asked for our removal has it now.
    std::vector<uint64_t> leaving;
    for (const auto& [id, waiter] : waiters_) {
      if (waiter.own_removal) leaving.push_back(id);
    }
    for (uint64_t id : leaving) Complete(id, Response());
    deps_.events->OnRemoved();
  });
}

bool Replica::WasRemoved(uint64_t member) {
  std::lock_guard lock(mutex_);
  return removed_.contains(member);
}

bool Replica::IsAlive(uint64_t member) const {
  if (member == options_.member_id) return true;
  std::lock_guard lock(mutex_);
  auto it = heard_.find(member);
  return it != heard_.end() && deps_.clock->Now() - it->second < kAliveTimeout;
}

void Replica::SendAll(std::vector<eraftpb::Message> messages) {
  for (eraftpb::Message& message : messages) {
    if (message.to() == options_.member_id) {
      node_->Step(std::move(message)).IgnoreError();
    } else if (message.msg_type() == eraftpb::MsgSnapshot) {
      SendSnapshot(message);
    } else {
      deps_.transport->Send(
          message.to(), Frame{.type = FrameType::kRaft, .payload = message.SerializeAsString()});
    }
  }
}

void Replica::SendSnapshot(const eraftpb::Message& message) {
  const uint64_t to = message.to();
  auto report = [this, to](bool success) {
    deps_.strand->Post([this, to, success] {
      if (failed_) return;
      node_->ReportSnapshot(to, success);
      Drive();
    });
  };
  std::shared_ptr<const engine::Snapshot> state = storage_.TakeState(to);
  if (state == nullptr) return report(false);
  deps_.transport->SendSnapshot(message, std::move(state), std::move(report));
}

void Replica::OnSnapshot(eraftpb::Message message, std::string path) {
  deps_.strand->Post([this, message = std::move(message), path = std::move(path)]() mutable {
    if (failed_ || removed_self_) return;
    snapshot_files_[message.snapshot().metadata().index()] = path;
    Stamp();
    node_->Step(std::move(message)).IgnoreError();
    Drive();
    for (auto& [index, unused] : snapshot_files_) deps_.fs->Remove(unused).IgnoreError();
    snapshot_files_.clear();
  });
}

// --- Raft's wishes ------------------------------------------------------------------------------

void Replica::DriveSoon() {
  if (std::exchange(drive_posted_, true)) return;
  deps_.strand->Post([this] { Drive(); });
}

void Replica::Drive() {
  drive_posted_ = false;
  // Applying may call back into us; one loop takes it all.
  if (failed_ || std::exchange(driving_, true)) return;
  while (!failed_ && node_->HasReady()) {
    if (absl::Status status = CarryOut(node_->TakeReady()); !status.ok()) Fail(status);
  }
  driving_ = false;
  if (failed_) return;
  UpdateLeadership();
  PublishLease();
  ReleaseReads();
  FlushUnsent();
  FinishTransfers();
}

absl::Status Replica::CarryOut(raft::Ready ready) {
  // Published before messages leave: whoever learns of a commit from us, and then reads here,
  // must find that we know of it too.
  view_.commit.store(node_->commit(), std::memory_order_release);
  // So is the lease: with an order to take over that leaves now it is void, and the write below
  // may take longer than the other needs to serve.
  PublishLease();
  SendAll(std::move(ready.messages));
  if (ready.snapshot) RETURN_IF_ERROR(InstallSnapshot(*ready.snapshot));
  RETURN_IF_ERROR(Persist(ready));
  SendAll(node_->OnPersisted(std::move(ready.after_persist)));
  if (ready.snapshot) node_->OnApplied(ready.snapshot->metadata().index());
  for (const eraftpb::Entry& entry : ready.committed_entries) {
    RETURN_IF_ERROR(ApplyEntry(entry));
  }
  if (!ready.committed_entries.empty()) node_->OnApplied(ready.committed_entries.back().index());
  view_.applied.store(deps_.machine->applied_index(), std::memory_order_release);
  view_.commit.store(node_->commit(), std::memory_order_release);
  for (const raft::ReadState& state : ready.read_states) OnReadState(state);
  return absl::OkStatus();
}

absl::Status Replica::Persist(const raft::Ready& ready) {
  if (ready.NothingToWrite()) return absl::OkStatus();
  batch_.Clear();
  if (ready.snapshot) {
    const auto& metadata = ready.snapshot->metadata();
    BeginLogAt(*deps_.log, metadata.index(), metadata.term(), &batch_);
  }
  for (const eraftpb::Entry& entry : ready.entries) {
    batch_.AppendEntry(kRaftGroup, entry.index(), entry.term(), entry.SerializeAsString());
  }
  if (ready.hard_state) {
    batch_.SetHardState(kRaftGroup, {ready.hard_state->term(), ready.hard_state->vote(),
                                     ready.hard_state->commit()});
  }
  const bool sync = ready.must_sync || ready.snapshot.has_value();
  const MonotonicTime begun = deps_.clock->Now();
  RETURN_IF_ERROR(deps_.log->Append(&batch_, sync));
  if (sync && deps_.on_log_written) deps_.on_log_written(deps_.clock->Now() - begun);
  return absl::OkStatus();
}

absl::Status Replica::InstallSnapshot(const eraftpb::Snapshot& snapshot) {
  const auto& metadata = snapshot.metadata();
  auto file = snapshot_files_.extract(metadata.index());
  if (file.empty()) return Internal("snapshot {} has no file", metadata.index());
  RETURN_IF_ERROR(deps_.machine->Replace([&] {
    return InstallSnapshotFile(deps_.fs, deps_.engine, file.mapped(), metadata.index(),
                               metadata.term());
  }));
  deps_.fs->Remove(file.mapped()).IgnoreError();
  deps_.hub->OnReplaced();
  PublishMembers();
  PublishPeers();
  deps_.events->OnMembersChanged();
  return absl::OkStatus();
}

// --- Leadership ---------------------------------------------------------------------------------

void Replica::UpdateLeadership() {
  const uint64_t leader = node_->leader(), term = node_->term();
  view_.term.store(term, std::memory_order_release);
  if (view_.leader.exchange(leader, std::memory_order_acq_rel) != leader) {
    deps_.events->OnLeaderChanged(leader);
  }
  const uint64_t announced = view_.leader_term.load(std::memory_order_relaxed);
  if (announced != 0 && (!node_->IsLeader() || announced != term)) LoseLeadership();
  // Every entry of earlier terms lies below the first one of ours, and all that is committed has
  // been applied by now.
  if (!leading() && node_->IsLeader() && node_->CommittedInTerm() && !removed_self_) {
    lessor_.Promote(deps_.machine->leases(), deps_.clock->Now(),
                    options_.tick * options_.election_ticks);
    revision_samples_.clear();
    view_.leader_term.store(term, std::memory_order_release);
    PublishLease();
    deps_.events->OnBecomeLeader(term);
  }
}

void Replica::LoseLeadership() {
  view_.lease_expiry.store(0, std::memory_order_release);
  lessor_.Demote();
  if (const uint64_t term = view_.leader_term.exchange(0); term != 0) {
    deps_.events->OnLoseLeadership(term);
  }
}

void Replica::PublishLease() {
  int64_t expiry = 0;
  const uint64_t stamp = leading() && !failed_ ? node_->LeaseStamp() : 0;
  if (stamp != 0) {
    const auto length = options_.tick * (options_.election_ticks - 1);
    expiry = static_cast<int64_t>(stamp - 1) +
             static_cast<int64_t>(static_cast<double>(length.count()) * (1 - kClockDrift));
  }
  view_.lease_expiry.store(expiry, std::memory_order_release);
}

bool Replica::HoldsLease() const {
  const int64_t expiry = view_.lease_expiry.load(std::memory_order_acquire);
  return expiry != 0 && deps_.clock->Now().nanos < expiry;
}

}  // namespace tikv::pd::meta
