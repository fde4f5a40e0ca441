// Store's rounds: propose, send, one write of the log, one write of the engine, answer.
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "server/raftstore/store/store.h"

namespace tikv::server {
void Store::MarkDirty(Peer* peer) {
  if (peer->stats.dirty) return;
  peer->stats.dirty = true;
  dirty_.push_back(peer);
}

void Store::Round(MonotonicTime now) {
  if (failed_) return;
  StoreMetrics* metrics = dirty_.empty() ? nullptr : context_.metrics;
  const MonotonicTime begin = metrics != nullptr ? metrics->Now() : now;
  Work(now);
  output_->FlushMessages();
  if (metrics != nullptr) metrics->ObserveSince(begin, &metrics->process_ready);
}

void Store::Work(MonotonicTime now) {
  while (!dirty_.empty() && !failed_) {
    std::vector<RoundWork> work;
    for (Peer* peer : dirty_) peer->Flush(now);
    if (!TakeReadies(&work, now)) break;
    if (!WriteLog(&work)) return;
    if (!ApplyAll(&work, now)) return;
  }
  received_.clear();  // Snapshots that the core did not want.
  graveyard_.clear();
}

// Leaves in dirty_ only those that have something to do; false when none has.
bool Store::TakeReadies(std::vector<RoundWork>* work, MonotonicTime now) {
  std::vector<Peer*> dirty = std::move(dirty_);
  dirty_.clear();
  for (Peer* peer : dirty) peer->stats.dirty = false;
  for (Peer* peer : dirty) {
    TakeWantedSnapshot(peer);
    if (!peer->HasReady()) {
      peer->RefreshLease();
      if (peer->stats.heartbeat_due) Heartbeat(peer, now);
      continue;
    }
    raft::Ready ready = peer->TakeReady();
    // A leader's appends travel while it writes its own copy.
    SendAll(peer, std::move(ready.messages));
    ready.messages.clear();
    if (ready.snapshot.has_value()) {
      StartInstall(peer, std::move(ready));
      continue;
    }
    PeerStorage::AddTo(peer->region_id().value, ready, &log_batch_);
    MarkDirty(peer);
    work->push_back({peer, std::move(ready)});
  }
  return !work->empty();
}

bool Store::WriteLog(std::vector<RoundWork>* work) {
  if (!log_batch_.empty()) {
    bool sync = false;
    for (const RoundWork& item : *work) sync |= item.ready.must_sync;
    if (sync) output_->FlushMessages();  // Before the disk is waited for.
    StoreMetrics* metrics = context_.metrics;
    const MonotonicTime begin = metrics != nullptr ? metrics->Now() : MonotonicTime();
    if (absl::Status s = context_.log->Append(&log_batch_, sync); !s.ok()) {
      Fail(Annotate(s, "raft log"));
      return false;
    }
    if (metrics != nullptr) {
      metrics->ObserveSince(begin, &metrics->append_log);
      if (sync) metrics->ObserveSince(begin, &metrics->raft_log_sync);
    }
  }
  for (RoundWork& item : *work) {
    SendAll(item.peer, item.peer->node().OnPersisted(std::move(item.ready.after_persist)));
  }
  return true;
}

void Store::CountEffect(const ApplyEffect& effect) {
  if (context_.metrics == nullptr) return;
  if (std::holds_alternative<RegionSplit>(effect)) {
    context_.metrics->CountAdmin("batch-split", "success");
  } else if (std::holds_alternative<LogCompacted>(effect)) {
    context_.metrics->CountAdmin("compact", "success");
  } else if (std::holds_alternative<PeersChanged>(effect)) {
    context_.metrics->CountAdmin("conf_change", "success");
  }
}

bool Store::ApplyAll(std::vector<RoundWork>* work, MonotonicTime now) {
  struct Split {
    Peer* parent;
    RegionSplit split;
    std::vector<metapb::Region> created;
  };
  std::vector<Split> splits;
  std::vector<Peer*> removed;
  for (RoundWork& item : *work) {
    if (item.ready.committed_entries.empty()) continue;
    std::vector<ApplyEffect> effects;
    absl::Status s =
        item.peer->ApplyInto(std::move(item.ready.committed_entries), &engine_batch_, &effects);
    if (!s.ok()) {
      Fail(Annotate(s, fmt::format("apply of region {}", item.peer->region_id().value)));
      return false;
    }
    for (ApplyEffect& effect : effects) {
      CountEffect(effect);
      if (auto* split = std::get_if<RegionSplit>(&effect)) {
        splits.push_back({item.peer, std::move(*split), {}});
        PrepareChildren(splits.back().split, &engine_batch_, &splits.back().created);
      } else if (std::holds_alternative<LogCompacted>(effect)) {
        const ApplyState& state = item.peer->apply_state();
        truncate_wanted_[item.peer->region_id().value] = {state.truncated_index,
                                                          state.truncated_term};
      } else if (const auto* change = std::get_if<PeersChanged>(&effect)) {
        if (FindPeerById(change->region, item.peer->id().value) == nullptr) {
          removed.push_back(item.peer);
        }
      }
    }
  }
  StoreMetrics* metrics = context_.metrics;
  if (!engine_batch_.empty()) {
    const MonotonicTime begin = metrics != nullptr ? metrics->Now() : MonotonicTime();
    if (absl::Status s = context_.engine->Write(&engine_batch_, {}); !s.ok()) {
      Fail(Annotate(s, "engine"));
      return false;
    }
    if (metrics != nullptr) metrics->ObserveSince(begin, &metrics->apply_log);
  }
  for (Split& split : splits) FinishSplit(split.parent, split.split, split.created, now);
  for (RoundWork& item : *work) item.peer->FinishApply();
  for (Peer* peer : removed) {
    // Its last messages (the commit of its own removal) are out: go.
    if (peers_.contains(peer->region_id().value)) DestroyPeer(peer);
  }
  return !failed_;
}

void Store::SendAll(Peer* peer, std::vector<eraftpb::Message> messages) {
  for (eraftpb::Message& message : messages) SendOne(peer, std::move(message));
}

void Store::SendOne(Peer* peer, eraftpb::Message message) {
  const bool snapshot = message.msg_type() == eraftpb::MessageType::MsgSnapshot;
  const uint64_t to = message.to();
  std::shared_ptr<const engine::Snapshot> data;
  if (snapshot) data = peer->storage().DataOf(message.snapshot().metadata());
  auto wrapped = peer->Wrap(std::move(message));
  if (!wrapped.has_value()) return;
  if (HeldBackByDisk(*peer, *wrapped)) {
    if (context_.metrics != nullptr) context_.metrics->dropped_messages.Add();
    if (snapshot) peer->node().ReportSnapshot(to, false);
    return;
  }
  if (context_.metrics != nullptr) context_.metrics->CountSent(wrapped->message().msg_type());
  if (!snapshot) return output_->Send(*std::move(wrapped));
  if (data == nullptr) return peer->node().ReportSnapshot(to, false);
  output_->SendSnapshot(*std::move(wrapped), std::move(data));
}

// What would fill a disk to the last byte waits, unless the region has no quorum without it.
bool Store::HeldBackByDisk(const Peer& peer, const raft_serverpb::RaftMessage& message) const {
  const eraftpb::Message& inner = message.message();
  const bool grows =
      inner.entries_size() > 0 && inner.msg_type() == eraftpb::MessageType::MsgAppend;
  if (!grows && inner.msg_type() != eraftpb::MessageType::MsgSnapshot) return false;
  if (disks_.Of(message.to_peer().store_id()) != DiskUsage::kAlreadyFull) return false;
  int voters = 0, full = 0;
  for (const metapb::Peer& other : peer.region().peers()) {
    if (other.role() == metapb::PeerRole::Learner) continue;
    ++voters;
    if (disks_.Of(other.store_id()) == DiskUsage::kAlreadyFull) ++full;
  }
  return full * 2 < voters;
}

// Between two batches the state of the engine is exactly that of the applied index.
void Store::TakeWantedSnapshot(Peer* peer) {
  if (!peer->storage().snapshot_wanted() || peer->apply_state().applied == 0) return;
  raft_serverpb::RaftSnapshotData data;
  *data.mutable_region() = peer->region();
  data.set_version(2);
  data.set_file_size(peer->stats.approximate_bytes);
  OutgoingSnapshot out;
  out.header.set_data(data.SerializeAsString());
  auto* metadata = out.header.mutable_metadata();
  metadata->set_index(peer->apply_state().applied);
  metadata->set_term(peer->applier().applied_term());
  *metadata->mutable_conf_state() = peer->node().conf_state();
  out.data = context_.engine->GetSnapshot();
  peer->storage().ProvideSnapshot(std::move(out));
}

// From here until OnInstalled the replica is neither old nor new: a crash finds the mark and
// starts it over, empty, to be filled by its leader again.
void Store::StartInstall(Peer* peer, raft::Ready ready) {
  const uint64_t id = peer->region_id().value;
  const eraftpb::SnapshotMetadata& metadata = ready.snapshot->metadata();
  raft_serverpb::RaftSnapshotData data;
  const auto received = received_.find(id);
  CHECK(received != received_.end()) << "snapshot without files";
  CHECK(data.ParseFromString(ready.snapshot->data())) << "checked when it arrived";
  InstallTask task;
  task.region = data.region();
  task.state = {metadata.index(), metadata.index(), metadata.term()};
  task.had_data = peer->initialized();
  task.old_start = peer->region().start_key();
  task.old_end = peer->region().end_key();
  task.files = std::move(received->second);
  received_.erase(received);

  engine::WriteBatch batch;
  Applier::SaveRegion(task.region, raft_serverpb::PeerState::Applying, &batch);
  if (absl::Status s = context_.engine->Write(&batch, {.sync = true}); !s.ok()) {
    return Fail(Annotate(s, "engine"));
  }
  if (peer->initialized()) RemoveRange(peer->region());
  AddRange(task.region);
  peer->BeginInstall(std::move(ready));
  output_->Install(std::move(task));
}

void Store::OnInstalled(RegionId region, const absl::Status& status) {
  if (failed_) return;
  if (!status.ok()) return Fail(Annotate(status, "snapshot"));
  const auto it = peers_.find(region.value);
  if (it == peers_.end() || !it->second->installing()) return;
  Peer* peer = it->second.get();
  const raft::Ready& ready = peer->install_ready();
  const eraftpb::SnapshotMetadata metadata = ready.snapshot->metadata();
  raft_serverpb::RaftSnapshotData data;
  CHECK(data.ParseFromString(ready.snapshot->data()));
  raftlog::HardState hard = context_.log->GetHardState(region.value);
  if (ready.hard_state.has_value()) {
    hard = {ready.hard_state->term(), ready.hard_state->vote(), ready.hard_state->commit()};
  }
  ResetLog(region, peer->id(), hard, {metadata.index(), metadata.index(), metadata.term()});
  // Entries that followed the snapshot within one round are acknowledged along with it.
  PeerStorage::AddTo(region.value, ready, &log_batch_);
  if (absl::Status s = context_.log->Append(&log_batch_, true); !s.ok()) {
    return Fail(Annotate(s, "raft log"));
  }
  SendAll(peer,
          peer->InstallDone(data.region(), {metadata.index(), metadata.index(), metadata.term()}));
  MarkDirty(peer);
}

void Store::Fail(const absl::Status& status) {
  if (failed_) return;
  failed_ = true;
  output_->Fatal(status);
}

}  // namespace tikv::server
