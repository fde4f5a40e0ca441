// Store: all replicas of a store and the rounds in which they advance.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/engine/write_batch.h"
#include "lib/env/clock.h"
#include "lib/raftlog/raft_log.h"
#include "proto/pdpb.pb.h"
#include "server/port/region_admin.h"
#include "server/raftstore/peer/peer.h"
#include "server/raftstore/store/store_output.h"

namespace tikv::server {

// Pure but for the engine and the Raft log, which it writes itself, once per round for all
// replicas.  Owns no thread; every call comes from the raft thread, and whatever they start is
// carried out by the next Round().  After Fatal nothing is done any more.
class Store : public RegionNeighbours {
 public:
  // Everything in `context` (but neighbours) and `output` must outlive the store.
  Store(PeerContext context, StoreOutput* output);
  ~Store() override;

  // Loads all replicas, finishes what a crash interrupted, removes data that no region owns.
  absl::Status Recover(MonotonicTime now);

  // ---- inputs ----
  // `files` comes with a MsgSnapshot.
  void OnMessage(raft_serverpb::RaftMessage message, std::shared_ptr<SnapshotFiles> files,
                 MonotonicTime now);
  void Write(const RequestHeader& header, WriteCommand command, Callback<WriteResult> done);
  void Read(const RequestHeader& header, MonotonicTime now, Callback<ReadResult> done);
  void SplitRegion(const RequestHeader& header, std::vector<std::string> keys,
                   Callback<SplitResult> done);
  void OnPdOrder(const pdpb::RegionHeartbeatResponse& order);
  // The placement driver has a new leader, which knows nothing: report every led region.
  void OnPdReconnected();
  // How full the disk here is; leaders move away from one that is not normal.
  void SetDiskUsage(DiskUsage usage) { disks_.SetOwn(usage); }
  void Tick(MonotonicTime now);
  void Round(MonotonicTime now);

  // Whether a snapshot with this message would be taken if its data came now.
  bool MayTakeSnapshot(const raft_serverpb::RaftMessage& message);

  // ---- answers to StoreOutput ----
  void OnUnreachable(StoreId store);
  void OnSnapshotSent(RegionId region, PeerId to, bool success);
  void OnInstalled(RegionId region, const absl::Status& status);
  void OnCleaned(const std::string& start, const std::string& end);
  void OnSplitChecked(const SplitCheckResult& result);
  void OnEngineSynced(const absl::Status& status);
  void OnSplitIds(uint64_t token, const absl::StatusOr<std::vector<pdpb::SplitID>>& ids);
  void OnRegionInfo(RegionId region, const absl::StatusOr<metapb::Region>& info);

  // ---- views ----
  std::vector<RegionId> Regions() const;
  absl::StatusOr<RegionDetails> Describe(RegionId region) const;
  absl::StatusOr<eraftpb::Entry> RaftEntry(RegionId region, uint64_t index) const;
  Peer* FindPeer(RegionId region);
  size_t leader_count() const;
  size_t region_count() const { return peers_.size(); }
  bool failed() const { return failed_; }

  // ---- the end ----
  // Asks the best follower of each led region to lead it; returns how many are still led.
  size_t TransferLeadersAway();
  void FailEverything(absl::FunctionRef<RegionError()> error);

  // RegionNeighbours
  std::vector<metapb::Region> Around(const metapb::Region& region, uint64_t known) override;

 private:
  struct RoundWork {
    Peer* peer;
    raft::Ready ready;
  };
  struct PendingSplit {
    RequestHeader header;
    std::vector<std::string> keys;
    Callback<SplitResult> done;
  };

  // store_recovery.cc
  absl::Status LoadRegion(const raft_serverpb::RegionLocalState& state, MonotonicTime now);
  absl::Status ResetInterruptedInstall(const metapb::Region& region);
  absl::Status CleanGaps();

  // Replaces a group's log by nothing but a starting point, in log_batch_.
  void ResetLog(RegionId region, PeerId peer, raftlog::HardState hard, const ApplyState& start);

  // store_round.cc
  void MarkDirty(Peer* peer);
  void Work(MonotonicTime now);
  bool TakeReadies(std::vector<RoundWork>* work, MonotonicTime now);
  void CountEffect(const ApplyEffect& effect);
  bool WriteLog(std::vector<RoundWork>* work);
  bool ApplyAll(std::vector<RoundWork>* work, MonotonicTime now);
  void SendAll(Peer* peer, std::vector<eraftpb::Message> messages);
  void SendOne(Peer* peer, eraftpb::Message message);
  bool HeldBackByDisk(const Peer& peer, const raft_serverpb::RaftMessage& message) const;
  void StartInstall(Peer* peer, raft::Ready ready);
  void TakeWantedSnapshot(Peer* peer);
  void Fail(const absl::Status& status);

  // store_messages.cc
  Peer* PeerForMessage(const raft_serverpb::RaftMessage& message, MonotonicTime now);
  Peer* MaybeCreatePeer(const raft_serverpb::RaftMessage& message, MonotonicTime now);
  bool MayCreate(const raft_serverpb::RaftMessage& message);
  bool AcceptSnapshot(Peer* peer, const raft_serverpb::RaftMessage& message);
  void OnTombstone(const raft_serverpb::RaftMessage& message);
  void SendTombstone(const raft_serverpb::RaftMessage& cause, const metapb::RegionEpoch& epoch);

  // store_lifecycle.cc
  void PrepareChildren(const RegionSplit& split, engine::WriteBatch* batch,
                       std::vector<metapb::Region>* created);
  bool MayBecome(const metapb::Region& child, const metapb::Peer& self);
  void FinishSplit(Peer* parent, const RegionSplit& split,
                   const std::vector<metapb::Region>& created, MonotonicTime now);
  void DestroyPeer(Peer* peer);
  void AddRange(const metapb::Region& region);
  void RemoveRange(const metapb::Region& region);
  // A region with data here that overlaps, other than `except`; nullptr when none.
  Peer* Overlapping(std::string_view start, std::string_view end, RegionId except);
  bool BeingCleaned(std::string_view start, std::string_view end) const;

  // store_admin.cc
  void ProposeSplit(const RequestHeader& header, std::vector<std::string> keys,
                    const std::vector<pdpb::SplitID>& ids, Callback<SplitResult> done);
  RegionError CheckSplit(const RequestHeader& header, std::vector<std::string>* keys);
  void ChangePeersByOrder(Peer* peer, const pdpb::RegionHeartbeatResponse& order);
  void SplitByOrder(Peer* peer, const pdpb::SplitRegion& order);
  RequestHeader OwnHeader(const Peer& peer) const;

  // store_ticks.cc
  bool Due(MonotonicTime now, MonotonicTime* last, Duration interval);
  void Heartbeat(Peer* peer, MonotonicTime now);
  void CompactLogs();
  void TruncateLogs();
  void CheckSplits();
  void CheckLeaderless(MonotonicTime now);
  void LeaveFullDisk();
  // The best other voter to lead, on a disk no fuller than `most`; 0: none.
  uint64_t Successor(const Peer& peer, DiskUsage most) const;

  PeerContext context_;
  DiskTable disks_;
  StoreOutput* output_;
  bool failed_ = false;

  absl::flat_hash_map<uint64_t, std::unique_ptr<Peer>> peers_;
  std::map<std::string, uint64_t> ranges_;  // Data end key -> region, of replicas with data.
  std::vector<Peer*> dirty_;
  std::vector<std::unique_ptr<Peer>> graveyard_;  // Destroyed in this round.
  // Files of snapshots that came in this round, by region.
  absl::flat_hash_map<uint64_t, std::shared_ptr<SnapshotFiles>> received_;
  std::vector<raft_serverpb::RaftMessage> early_votes_;  // For regions that a split will create.
  std::vector<std::pair<std::string, std::string>> cleaning_;

  uint64_t next_token_ = 1;
  absl::flat_hash_map<uint64_t, PendingSplit> splits_;

  raftlog::LogBatch log_batch_;
  engine::WriteBatch engine_batch_;

  bool syncing_engine_ = false;
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> truncate_wanted_;   // region -> index, term
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> truncate_syncing_;  // Covered by the sync.

  MonotonicTime last_log_gc_;
  MonotonicTime last_split_check_;
  MonotonicTime last_leaderless_check_;
  MonotonicTime last_snapshot_drop_;
  MonotonicTime last_disk_check_;
};

// Records beside a group's entries in the Raft log.
inline constexpr std::string_view kPeerIdRecord = "peer";

}  // namespace tikv::server
