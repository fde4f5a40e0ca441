// Peer's writes, reads and lease.
#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "server/codec/keys.h"
#include "server/raftstore/apply/entry_data.h"
#include "server/raftstore/peer/peer.h"

namespace tikv::server {
namespace {

// A key of the command that is not in the region; nullptr when all are.
const std::string* KeyOutside(const WriteCommand& command, const metapb::Region& region) {
  if (command.first_key() < region.start_key()) return &command.first_key();
  const std::string& end = region.end_key();
  if (end.empty()) return nullptr;
  const bool fits = command.last_is_end() ? command.last_key() <= end : command.last_key() < end;
  return fits ? nullptr : &command.last_key();
}

}  // namespace

RegionError Peer::CheckWrite(const RequestHeader& header, const WriteCommand& command) const {
  if (RegionError e = CheckReplica(header, State(), CheckKind::kLeaderRequest)) return e;
  if (!VersionMatches(header, region())) return EpochNotMatch(header.version);
  if (const std::string* key = KeyOutside(command, region())) {
    return RegionError::KeyNotInRegion(*key, region_id(), region().start_key(), region().end_key());
  }
  if (command.expected_term != 0 && command.expected_term != node_->term()) {
    return RegionError::StaleCommand();
  }
  if (command.byte_size() > context_.config->max_entry_bytes) {
    return RegionError::RaftEntryTooLarge(region_id(), command.byte_size());
  }
  if (RegionError e = CheckDisks(header, command)) return e;
  if (proposals_.size() + writes_.size() >= context_.config->max_proposals_per_region) {
    return RegionError::ServerIsBusy("raftstore is busy");
  }
  return {};
}

// A write needs room here and on a quorum.
RegionError Peer::CheckDisks(const RequestHeader& header, const WriteCommand& command) const {
  const DiskTable& disks = *context_.disks;
  if (disks.all_normal()) return {};
  auto allowed = static_cast<DiskUsage>(header.disk_full_opt);
  if (command.only_deletes()) allowed = std::max(allowed, DiskUsage::kAlmostFull);
  std::vector<uint64_t> full;
  int voters = 0;
  for (const metapb::Peer& peer : region().peers()) {
    if (peer.role() == metapb::PeerRole::Learner) continue;
    ++voters;
    const bool here = peer.id() == id_.value;
    if ((here ? disks.own() : disks.Of(peer.store_id())) > allowed) full.push_back(peer.store_id());
  }
  if (disks.own() <= allowed && static_cast<int>(full.size()) * 2 < voters) return {};
  return RegionError::DiskFull(full, "writes are refused until there is room again");
}

void Peer::Write(const RequestHeader& header, WriteCommand command, Callback<WriteResult> done) {
  if (RegionError error = CheckWrite(header, command)) {
    return std::move(done)(WriteResult{std::move(error), 0});
  }
  writes_.push_back({std::move(command), std::move(done)});
}

RegionError Peer::CheckAdmin(const RequestHeader& header) {
  if (RegionError e = CheckReplica(header, State(), CheckKind::kLeaderRequest)) return e;
  if (!VersionMatches(header, region())) return EpochNotMatch(header.version);
  return {};
}

void Peer::ProposeAdmin(const raft_cmdpb::AdminRequest& request, ProposalDone done) {
  ProposeWrites();  // What came first stays first.
  if (context_.metrics != nullptr) {
    const bool split = request.cmd_type() == raft_cmdpb::AdminCmdType::BatchSplit;
    context_.metrics->CountAdmin(split ? "batch-split" : "compact", "all");
  }
  const auto& epoch = region().region_epoch();
  std::string data = EncodeAdminEntry(epoch.version(), epoch.conf_ver(), request);
  if (data.size() > context_.config->max_entry_bytes) {  // The keys of a split are a client's.
    return std::move(done)(
        WriteResult{RegionError::RaftEntryTooLarge(region_id(), data.size()), 0});
  }
  auto position = node_->Propose(std::move(data));
  if (!position.ok()) {
    return std::move(done)(WriteResult{ProposalError(position.status()), 0});
  }
  std::vector<ProposalDone> waiters;
  waiters.push_back(std::move(done));
  proposals_.Push(position->term, position->index, std::move(waiters));
}

void Peer::ProposePeers(const raft_cmdpb::AdminRequest& request, ProposalDone done) {
  ProposeWrites();
  if (context_.metrics != nullptr) context_.metrics->CountAdmin("conf_change", "all");
  const PeerChanges changes = ChangesOf(request);
  auto refuse = [&](const absl::Status& why) {
    std::move(done)(WriteResult{RegionError::FromMessage(std::string(Message(why))), 0});
  };
  const auto next = ChangePeers(region(), changes);
  if (!next.ok()) return refuse(next.status());
  if (const metapb::Peer* self = FindPeerById(*next, id_.value);
      changes.size() == 1 && (self == nullptr || self->role() == metapb::PeerRole::Learner)) {
    return refuse(FailedPrecondition("the leader cannot remove or demote itself"));
  }
  const auto& epoch = region().region_epoch();
  auto position = node_->ProposeConfChange(
      ToConfChange(changes, EncodeAdminEntry(epoch.version(), epoch.conf_ver(), request)));
  if (!position.ok()) return refuse(position.status());
  std::vector<ProposalDone> waiters;
  waiters.push_back(std::move(done));
  proposals_.Push(position->term, position->index, std::move(waiters));
}

RegionError Peer::ProposalError(const absl::Status& status) const {
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    return RegionError::ServerIsBusy("raftstore is busy");
  }
  // Not leader, or handing over: whoever leads next is not known here.
  return RegionError::NotLeader(region_id(), IsLeader() ? nullptr : Leader());
}

void Peer::ProposeWrites() {
  if (writes_.empty()) return;
  std::vector<PendingWrite> writes = std::move(writes_);
  writes_.clear();
  size_t i = 0;
  while (i < writes.size()) {
    std::string data = WriteEntryHead(region().region_epoch().version());
    std::vector<ProposalDone> waiters;
    do {
      data.append(writes[i].command.encoded());
      waiters.push_back(std::move(writes[i].done));
      ++i;
    } while (i < writes.size() &&
             data.size() + writes[i].command.byte_size() <= context_.config->entry_batch_bytes);
    auto position = node_->Propose(std::move(data));
    if (position.ok()) {
      proposals_.Push(position->term, position->index, std::move(waiters));
      TimeCommit(position->index);
      continue;
    }
    for (ProposalDone& done : waiters) {
      std::move(done)(WriteResult{ProposalError(position.status()), 0});
    }
  }
}

void Peer::TimeCommit(uint64_t proposed) {
  if (context_.metrics == nullptr) return;
  if (timed_index_ != 0 && node_->commit() >= timed_index_) {
    context_.metrics->ObserveSince(timed_since_, &context_.metrics->commit_log);
    timed_index_ = 0;
  }
  if (timed_index_ == 0 && proposed != 0) {
    timed_index_ = proposed;
    timed_since_ = context_.metrics->Now();
  }
}

void Peer::Flush(MonotonicTime now) {
  ProposeWrites();
  if (auto context = reads_.StartBatch(now)) node_->ReadIndex(*std::move(context));
}

RegionError Peer::CheckRead(const RequestHeader& header) const {
  const bool replica = header.replica_read || header.stale_read;
  const CheckKind kind = replica ? CheckKind::kReplicaRead : CheckKind::kLeaderRequest;
  if (RegionError e = CheckReplica(header, State(), kind)) return e;
  if (!VersionMatches(header, region())) return EpochNotMatch(header.version);
  if (IsLeader()) return {};
  // No safe timestamps are kept: the client falls back to the leader.
  if (header.stale_read) return RegionError::DataIsNotReady(region_id(), id_, 0);
  if (node_->leader() == 0) return RegionError::NotLeader(region_id(), nullptr);
  return {};
}

void Peer::Read(const RequestHeader& header, MonotonicTime now, Callback<ReadResult> done) {
  if (RegionError error = CheckRead(header)) {
    return std::move(done)(ReadResult{std::move(error), {}});
  }
  const auto lease_until =
      static_cast<int64_t>(node_->LeaseStamp()) + Duration(context_.config->lease).count();
  if (CanLease() && now.nanos < lease_until) {
    return std::move(done)(ReadResult{{}, MakeView()});
  }
  if (reads_.size() >= context_.config->max_reads_per_region) {
    return std::move(done)(ReadResult{RegionError::ServerIsBusy("raftstore is busy"), {}});
  }
  reads_.Add({header, std::move(done)});
}

void Peer::ServeReads() {
  for (PendingRead& read : reads_.TakeReady(apply_state().applied)) {
    // The region may have changed while the read waited.
    RegionError error;
    if (installing_) error = RegionError::ReadIndexNotReady(region_id(), "applying a snapshot");
    if (!VersionMatches(read.header, region())) error = EpochNotMatch(read.header.version);
    if (error) {
      std::move(read.done)(ReadResult{std::move(error), {}});
    } else {
      std::move(read.done)(ReadResult{{}, MakeView()});
    }
  }
}

std::shared_ptr<RegionRange> Peer::NewRange() const {
  auto range = std::make_shared<RegionRange>();
  range->id = region_id();
  range->peer = id_;
  range->start = region().start_key();
  range->end = region().end_key();
  range->conf_ver = region().region_epoch().conf_ver();
  range->version = region().region_epoch().version();
  range->term = node_->term();
  return range;
}

RegionView Peer::MakeView() {
  const auto& epoch = region().region_epoch();
  if (range_ == nullptr || range_->version != epoch.version() || range_->term != node_->term() ||
      range_->conf_ver != epoch.conf_ver()) {
    range_ = NewRange();
  }
  std::shared_ptr<const engine::Snapshot> snapshot = context_.engine->GetSnapshot();
  const engine::Reader* reader = snapshot.get();
  return RegionView(range_, reader, std::move(snapshot));
}

bool Peer::CanLease() const {
  return node_->LeaseStamp() != 0 && !splitting_ && !installing_ &&
         applier_.applied_term() == node_->term();
}

void Peer::EndLease() {
  if (delegate_ == nullptr) return;
  delegate_->lease_until.store(0, std::memory_order_release);
  delegate_->range->current.store(false, std::memory_order_seq_cst);
  // What the engine is given from here on is written after the flag.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  context_.delegates->Withdraw(region_id());
  delegate_ = nullptr;
}

void Peer::RefreshLease() {
  if (!CanLease()) return EndLease();
  const auto& epoch = region().region_epoch();
  if (delegate_ != nullptr &&
      (delegate_->range->version != epoch.version() || delegate_->range->term != node_->term())) {
    EndLease();
  }
  const auto until =
      static_cast<int64_t>(node_->LeaseStamp()) + Duration(context_.config->lease).count();
  if (delegate_ != nullptr) {
    delegate_->lease_until.store(until, std::memory_order_release);
    return;
  }
  delegate_ = std::make_shared<ReadDelegate>();
  delegate_->range = NewRange();
  delegate_->lease_until.store(until, std::memory_order_release);
  context_.delegates->Publish(region_id(), delegate_);
}

}  // namespace tikv::server
