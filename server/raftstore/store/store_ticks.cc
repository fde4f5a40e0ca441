// What a store does by the clock: Raft's ticks, heartbeats, log garbage, split checks.
#include <algorithm>

#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "server/raftstore/store/store.h"

namespace tikv::server {

bool Store::Due(MonotonicTime now, MonotonicTime* last, Duration interval) {
  if (now - *last < interval) return false;
  *last = now;
  return true;
}

void Store::Tick(MonotonicTime now) {
  if (failed_) return;
  const MonotonicTime begin = context_.metrics != nullptr ? context_.metrics->Now() : now;
  for (auto& [id, peer] : peers_) {
    peer->Tick(now);
    if (peer->HasReady() || peer->stats.heartbeat_due) MarkDirty(peer.get());
    if (peer->node().leader() != 0) peer->stats.leader_seen = now;
    // The placement driver waits for newcomers to catch up: say soon when they have.
    constexpr Duration kPendingInterval = std::chrono::milliseconds(500);
    const Duration interval = peer->stats.pending_reported
                                  ? kPendingInterval
                                  : Duration(context_.config->region_heartbeat_interval);
    if (peer->IsLeader() && now - peer->stats.last_heartbeat >= interval) {
      peer->stats.heartbeat_due = true;
      MarkDirty(peer.get());
    }
  }
  if (Due(now, &last_log_gc_, context_.config->log_gc_interval)) {
    CompactLogs();
    TruncateLogs();
  }
  if (Due(now, &last_split_check_, context_.config->split_check_interval)) CheckSplits();
  if (Due(now, &last_leaderless_check_, context_.config->leader_missing_check)) {
    CheckLeaderless(now);
  }
  constexpr Duration kDiskInterval = std::chrono::seconds(1);
  if (disks_.own() != DiskUsage::kNormal && Due(now, &last_disk_check_, kDiskInterval)) {
    LeaveFullDisk();
  }
  constexpr Duration kSnapshotLife = std::chrono::seconds(30);
  if (Due(now, &last_snapshot_drop_, kSnapshotLife)) {
    for (auto& [id, peer] : peers_) peer->storage().DropIdleSnapshot();
    early_votes_.clear();
  }
  if (context_.metrics != nullptr) {
    context_.metrics->ObserveSince(begin, &context_.metrics->process_tick);
  }
}

void Store::Heartbeat(Peer* peer, MonotonicTime now) {
  if (!peer->IsLeader()) {
    peer->stats.heartbeat_due = false;
    return;
  }
  peer->stats.heartbeat_due = false;
  const raft::Status status = peer->node().GetStatus();
  pdpb::RegionHeartbeatRequest heartbeat;
  *heartbeat.mutable_region() = peer->region();
  *heartbeat.mutable_leader() = peer->Self();
  heartbeat.set_term(peer->node().term());
  const auto max_down = Duration(context_.config->max_peer_down);
  for (const raft::PeerStatus& other : status.peers) {
    const metapb::Peer* meta = FindPeerById(peer->region(), other.id);
    if (meta == nullptr || other.id == peer->id().value) continue;
    if (context_.metrics != nullptr && status.last_index >= other.match) {
      context_.metrics->log_lag.Observe(static_cast<double>(status.last_index - other.match));
    }
    // It cannot follow from the log alone: a snapshot is missing or on its way.
    if (other.match < peer->apply_state().truncated_index ||
        other.state == raft::ReplicationState::kSnapshot || other.match == 0) {
      *heartbeat.add_pending_peers() = *meta;
    }
    const MonotonicTime seen = peer->last_active.try_emplace(other.id, now).first->second;
    if (!other.recent_active && now - seen >= max_down) {
      auto* down = heartbeat.add_down_peers();
      *down->mutable_peer() = *meta;
      down->set_down_seconds(static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::seconds>(now - seen).count()));
    }
  }
  heartbeat.set_approximate_size(peer->stats.approximate_bytes);
  heartbeat.set_approximate_keys(peer->stats.approximate_keys);
  const uint64_t bytes = peer->applier().written_bytes();
  const uint64_t keys = peer->applier().written_keys();
  heartbeat.set_bytes_written(bytes - peer->stats.reported_bytes);
  heartbeat.set_keys_written(keys - peer->stats.reported_keys);
  peer->stats.reported_bytes = bytes;
  peer->stats.reported_keys = keys;
  peer->stats.last_heartbeat = now;
  peer->stats.pending_reported = heartbeat.pending_peers_size() > 0;
  output_->ReportRegion(std::move(heartbeat));
}

void Store::OnPdReconnected() {
  for (auto& [id, peer] : peers_) {
    if (!peer->IsLeader()) continue;
    peer->stats.heartbeat_due = true;
    MarkDirty(peer.get());
  }
}

void Store::CompactLogs() {
  for (auto& [id, peer] : peers_) {
    peer->MaybeCompactLog();
    // A joint state that nobody leaves blocks every later change: its leader sees to it.
    if (peer->IsLeader() && InJointState(peer->region()) && !peer->node().HasPendingConfChange()) {
      raft_cmdpb::AdminRequest leave;
      leave.set_cmd_type(raft_cmdpb::AdminCmdType::ChangePeerV2);
      leave.mutable_change_peer_v2();
      peer->ProposePeers(leave, [](WriteResult) {});
    }
    if (peer->HasReady()) MarkDirty(peer.get());
  }
}

// What the engine holds must be durable before the log that could rebuild it goes.
void Store::TruncateLogs() {
  if (syncing_engine_ || truncate_wanted_.empty()) return;
  truncate_syncing_ = std::move(truncate_wanted_);
  truncate_wanted_.clear();
  syncing_engine_ = true;
  output_->SyncEngine();
}

void Store::OnEngineSynced(const absl::Status& status) {
  syncing_engine_ = false;
  if (failed_) return;
  if (!status.ok()) return Fail(Annotate(status, "engine"));
  for (const auto& [region, position] : truncate_syncing_) {
    log_batch_.CompactTo(region, position.first, position.second);
  }
  truncate_syncing_.clear();
  if (log_batch_.empty()) return;
  if (absl::Status s = context_.log->Append(&log_batch_, false); !s.ok()) {
    Fail(Annotate(s, "raft log"));
  }
}

void Store::CheckSplits() {
  const uint64_t step = context_.config->region_split_bytes / 16;
  for (auto& [id, peer] : peers_) {
    if (!peer->IsLeader() || peer->stats.split_check_running || peer->installing()) continue;
    const uint64_t written = peer->applier().written_bytes();
    const bool first = peer->stats.approximate_bytes == 0 && written > 0;
    if (!first && written - peer->stats.written_bytes_at_check < step) continue;
    peer->stats.written_bytes_at_check = written;
    peer->stats.split_check_running = true;
    const metapb::Region& region = peer->region();
    output_->CheckSplit({peer->region_id(), region.region_epoch().version(), region.start_key(),
                         region.end_key(), false});
  }
}

// A leader elsewhere can go on writing as long as a quorum has room.
void Store::LeaveFullDisk() {
  for (auto& [id, peer] : peers_) {
    if (!peer->IsLeader()) continue;
    const uint64_t to = Successor(*peer, DiskUsage::kNormal);
    if (to == 0 || !peer->TransferLeader(PeerId(to)).ok()) continue;
    MarkDirty(peer.get());
  }
}

void Store::CheckLeaderless(MonotonicTime now) {
  for (auto& [id, peer] : peers_) {
    const Duration missing = now - peer->stats.leader_seen;
    if (peer->IsLeader() || missing < context_.config->leader_missing_check) continue;
    output_->AskRegion(peer->region_id());
  }
}

// The placement driver knows the region without this replica: it was removed while it was away,
// and those who could have told it are gone too.
void Store::OnRegionInfo(RegionId region, const absl::StatusOr<metapb::Region>& info) {
  Peer* peer = FindPeer(region);
  if (failed_ || peer == nullptr || !info.ok() || peer->installing()) return;
  if (peer->node().leader() != 0 || FindPeerById(*info, peer->id().value) != nullptr) return;
  if (info->region_epoch().conf_ver() <= peer->region().region_epoch().conf_ver()) return;
  DestroyPeer(peer);
}

}  // namespace tikv::server
