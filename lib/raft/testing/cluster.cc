#include "lib/raft/testing/cluster.h"

#include <utility>

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace tikv::raft {

absl::StatusOr<eraftpb::Snapshot> ReplicaStorage::Snapshot(uint64_t min_index, uint64_t) {
  if (replica_->applied_index < min_index) return Unavailable("not applied yet");
  eraftpb::Snapshot snapshot;
  eraftpb::SnapshotMetadata* meta = snapshot.mutable_metadata();
  meta->set_index(replica_->applied_index);
  meta->set_term(Term(replica_->applied_index).value());
  *meta->mutable_conf_state() = replica_->conf;
  snapshot.set_data(replica_->state);
  return snapshot;
}

Cluster::Cluster(int voters, uint64_t seed, std::function<void(Config*)> adjust)
    : random_(seed, "cluster"), adjust_(std::move(adjust)) {
  eraftpb::Snapshot start;
  start.mutable_metadata()->set_index(1);
  start.mutable_metadata()->set_term(1);
  for (int i = 1; i <= voters; ++i) {
    start.mutable_metadata()->mutable_conf_state()->add_voters(static_cast<uint64_t>(i));
  }
  for (int i = 1; i <= voters; ++i) {
    Replica& r = replicas_[static_cast<uint64_t>(i)];
    r.storage = std::make_unique<ReplicaStorage>(&r);
    r.storage->ApplySnapshot(start);
    r.applied_index = 1;
    r.conf = start.metadata().conf_state();
    r.config.id = static_cast<uint64_t>(i);
    Restart(r.config.id);
  }
}

void Cluster::Add(uint64_t id) {
  Replica& r = replicas_[id];
  r.storage = std::make_unique<ReplicaStorage>(&r);
  r.config.id = id;
  Restart(id);
}

void Cluster::Crash(uint64_t id) {
  Replica& r = at(id);
  r.node.reset();
  r.writing.clear();
  r.reads.clear();
  r.down = true;
}

void Cluster::Restart(uint64_t id) {
  Replica& r = at(id);
  if (adjust_) adjust_(&r.config);
  r.config.applied = r.applied_index;
  r.storage->SetConfState(r.conf);
  auto restored = RawNode::Create(r.config, r.storage.get(), &random_);
  CHECK_OK(restored);
  r.node = *std::move(restored);
  r.down = false;
}

void Cluster::Compact(uint64_t id, uint64_t index) {
  Replica& r = at(id);
  CHECK_LE(index, r.applied_index);
  if (index >= r.storage->FirstIndex()) r.storage->Compact(index, r.conf, r.state);
}

void Cluster::Send(uint64_t from, std::vector<eraftpb::Message> messages) {
  for (eraftpb::Message& m : messages) {
    CHECK_NE(m.to(), from);
    if (isolated_.count(from) || isolated_.count(m.to())) continue;
    if (filter && filter(m)) continue;
    network_.push_back(std::move(m));
  }
}

bool Cluster::TakeReady(uint64_t id) {
  Replica& r = at(id);
  if (r.down || !r.node->HasReady()) return false;
  Ready ready = r.node->TakeReady();
  r.node->CheckInvariants();
  Send(id, std::exchange(ready.messages, {}));
  for (ReadState& read : ready.read_states) r.reads.push_back(std::move(read));
  r.writing.push_back(std::move(ready));
  return true;
}

bool Cluster::Persist(uint64_t id) {
  Replica& r = at(id);
  if (r.down || r.writing.empty()) return false;
  Ready ready = std::move(r.writing.front());
  r.writing.pop_front();
  if (ready.snapshot) Install(&r, *ready.snapshot);
  r.storage->Append(ready.entries);
  if (ready.hard_state) r.storage->SetHardState(*ready.hard_state);
  Send(id, r.node->OnPersisted(std::move(ready.after_persist)));
  Apply(id, ready);
  r.node->CheckInvariants();
  return true;
}

void Cluster::Install(Replica* r, const eraftpb::Snapshot& snapshot) {
  CHECK_GT(snapshot.metadata().index(), r->applied_index) << "a snapshot of the past";
  r->storage->ApplySnapshot(snapshot);
  r->state = snapshot.data();
  r->applied_index = snapshot.metadata().index();
  r->conf = snapshot.metadata().conf_state();
}

void Cluster::Apply(uint64_t id, const Ready& ready) {
  Replica& r = at(id);
  for (const eraftpb::Entry& entry : ready.committed_entries) {
    if (entry.index() <= r.applied_index) continue;
    CHECK_EQ(entry.index(), r.applied_index + 1) << "applied out of order";
    absl::StatusOr<eraftpb::ConfState> conf = r.conf;
    if (entry.entry_type() == eraftpb::EntryConfChange) {
      eraftpb::ConfChange change;
      CHECK(change.ParseFromString(entry.data()));
      conf = r.node->ApplyConfChange(change);
    } else if (entry.entry_type() == eraftpb::EntryConfChangeV2) {
      eraftpb::ConfChangeV2 change;
      CHECK(change.ParseFromString(entry.data()));
      conf = r.node->ApplyConfChange(change);
    } else {
      r.state += entry.data();
    }
    if (conf.ok()) r.conf = *conf;
    r.applied_index = entry.index();
    r.applied.push_back(entry);
    if (on_apply) on_apply(id, entry);
  }
  if (!ready.committed_entries.empty()) {
    r.node->OnApplied(ready.committed_entries.back().index());
  }
}

void Cluster::Deliver(size_t position) {
  eraftpb::Message m = std::move(network_[position]);
  network_.erase(network_.begin() + static_cast<ptrdiff_t>(position));
  auto to = replicas_.find(m.to());
  if (to == replicas_.end() || to->second.down) return;
  (void)to->second.node->Step(std::move(m));
  to->second.node->CheckInvariants();
}

void Cluster::Settle() {
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& [id, replica] : replicas_) {
      while (TakeReady(id)) moved = true;
      while (Persist(id)) moved = true;
    }
    while (!network_.empty()) {
      Deliver(0);
      moved = true;
    }
  }
}

void Cluster::TickAll(int n) {
  for (int i = 0; i < n; ++i) {
    for (auto& [id, replica] : replicas_) {
      if (!replica.down) replica.node->Tick();
    }
    Settle();
  }
}

void Cluster::Elect(uint64_t id) {
  node(id).Campaign();
  Settle();
}

uint64_t Cluster::leader() const {
  uint64_t leader = 0;
  uint64_t term = 0;
  for (const auto& [id, replica] : replicas_) {
    if (replica.down || !replica.node->IsLeader() || replica.node->term() <= term) continue;
    leader = id;
    term = replica.node->term();
  }
  return leader;
}

}  // namespace tikv::raft
