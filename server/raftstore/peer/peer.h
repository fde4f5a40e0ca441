// Peer: one replica of one region.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/env/clock.h"
#include "lib/env/random.h"
#include "lib/raft/raw_node.h"
#include "proto/metapb.pb.h"
#include "proto/raft_cmdpb.pb.h"
#include "proto/raft_serverpb.pb.h"
#include "server/port/replicated_engine.h"
#include "server/raftstore/apply/applier.h"
#include "server/raftstore/config.h"
#include "server/raftstore/peer/disk_table.h"
#include "server/raftstore/peer/peer_storage.h"
#include "server/raftstore/peer/proposal_queue.h"
#include "server/raftstore/peer/read_queue.h"
#include "server/raftstore/peer/request_check.h"
#include "server/raftstore/peer/store_metrics.h"
#include "server/raftstore/router/read_delegates.h"

namespace tikv::engine {
class KvEngine;
}

namespace tikv::server {

// The regions around one on the same store, for EpochNotMatch.
class RegionNeighbours {
 public:
  virtual ~RegionNeighbours() = default;
  // `region` and those to its left that a client which knew version `known` would miss.
  virtual std::vector<metapb::Region> Around(const metapb::Region& region, uint64_t known) = 0;
};

// What all replicas of a store share; everything outlives them.
struct PeerContext {
  const RaftStoreConfig* config = nullptr;
  StoreId store;
  engine::KvEngine* engine = nullptr;
  raftlog::RaftLog* log = nullptr;
  Random* random = nullptr;
  ReadDelegates* delegates = nullptr;
  RegionNeighbours* neighbours = nullptr;
  const DiskTable* disks = nullptr;  // Set by the store, as are its neighbours.
  raft::EventLog* events = nullptr;
  StoreMetrics* metrics = nullptr;  // May be null.
};

// Raft, the state machine, and the requests that wait for either.  Owns no thread; all calls come
// from the raft thread, in rounds:
//   inputs (Step, Tick, Write, Read, ...), then Flush, then while HasReady(): TakeReady, send,
//   write the log, OnPersisted, ApplyInto a shared batch, write it, FinishApply.
// Whoever asked something gets exactly one answer.
class Peer {
 public:
  // `region` without peers: known only by name until a snapshot arrives.  The configuration and
  // the hard state come from the region and the Raft log.  `restarted`: see raft::Config.
  static absl::StatusOr<std::unique_ptr<Peer>> Create(const PeerContext& context, PeerId id,
                                                      metapb::Region region, ApplyState state,
                                                      bool restarted = false);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  RegionId region_id() const { return RegionId(applier_.region().id()); }
  PeerId id() const { return id_; }
  const metapb::Region& region() const { return applier_.region(); }
  bool initialized() const { return region().peers_size() > 0; }
  const ApplyState& apply_state() const { return applier_.state(); }
  const Applier& applier() const { return applier_; }
  raft::RawNode& node() { return *node_; }
  const raft::RawNode& node() const { return *node_; }
  PeerStorage& storage() { return storage_; }
  bool IsLeader() const { return node_->IsLeader(); }
  // The leader as far as known; null otherwise.
  const metapb::Peer* Leader() const;
  metapb::Peer Self() const;

  // ---- inputs ----
  void Step(const metapb::Peer& from, eraftpb::Message message);
  void Tick(MonotonicTime now);
  void Write(const RequestHeader& header, WriteCommand command, Callback<WriteResult> done);
  void Read(const RequestHeader& header, MonotonicTime now, Callback<ReadResult> done);
  // Checks before anything that only a leader does under the given version; empty = go on.
  RegionError CheckAdmin(const RequestHeader& header);
  // The epoch of the region goes with it.  An error reaches `done` too.
  void ProposeAdmin(const raft_cmdpb::AdminRequest& request, ProposalDone done);
  // ChangePeer and ChangePeerV2; validated first.
  void ProposePeers(const raft_cmdpb::AdminRequest& request, ProposalDone done);
  absl::Status TransferLeader(PeerId to);
  // Leader: proposes to forget entries that every replica has, or too many.
  void MaybeCompactLog();
  // Entries for the writes, an index for the reads that came since the last call.
  void Flush(MonotonicTime now);

  // ---- outputs ----
  bool HasReady() const { return !installing_ && node_->HasReady(); }
  // Also stops local reads that what follows would make wrong.
  raft::Ready TakeReady();
  // Wraps a message; nullopt when the receiver's store is not known.
  std::optional<raft_serverpb::RaftMessage> Wrap(eraftpb::Message message);

  // Adds changes and apply state to the batch, and what the owner must carry out to *effects.
  // An error means that this replica cannot go on.
  absl::Status ApplyInto(std::vector<eraftpb::Entry> entries, engine::WriteBatch* batch,
                         std::vector<ApplyEffect>* effects);
  // The batch is in the engine: answers writers and readers.
  void FinishApply();

  // A snapshot is being installed: nothing else happens until InstallDone.
  void BeginInstall(raft::Ready ready);
  bool installing() const { return installing_; }
  const raft::Ready& install_ready() const { return install_ready_; }
  // The engine and the log hold the snapshot.  Returns messages for peers.
  std::vector<eraftpb::Message> InstallDone(metapb::Region region, ApplyState state);

  // Answers everybody with RegionNotFound and ends local reads; the peer is about to go.
  void Retire();
  // The same with another error, at shutdown.
  void FailAll(absl::FunctionRef<RegionError()> error);

  // Renews or ends the lease that rpc threads see.
  void RefreshLease();
  ReplicaState State() const;
  RegionError EpochNotMatch(uint64_t known_version) const;

  // ---- bookkeeping of the store ----
  struct Statistics {
    uint64_t approximate_bytes = 0;
    uint64_t approximate_keys = 0;
    uint64_t written_bytes_at_check = 0;  // Applier::written_bytes() then.
    uint64_t reported_bytes = 0;          // The same at the last heartbeat.
    uint64_t reported_keys = 0;
    MonotonicTime last_heartbeat;
    MonotonicTime leader_seen;
    bool heartbeat_due = false;
    bool pending_reported = false;  // The last heartbeat named replicas that lack a snapshot.
    bool split_check_running = false;
    bool dirty = false;  // In the store's list for this round.
  };
  Statistics stats;
  // When each other peer was last known to be alive (leader only).
  absl::flat_hash_map<uint64_t, MonotonicTime> last_active;

 private:
  struct PendingWrite {
    WriteCommand command;
    Callback<WriteResult> done;
  };
  struct Completion {
    std::vector<ProposalDone> waiters;
    uint64_t index;
    ApplyVerdict verdict;
    std::string reason;
  };

  Peer(const PeerContext& context, PeerId id, metapb::Region region, ApplyState state,
       uint64_t nonce);

  RegionError CheckWrite(const RequestHeader& header, const WriteCommand& command) const;
  RegionError CheckDisks(const RequestHeader& header, const WriteCommand& command) const;
  RegionError CheckRead(const RequestHeader& header) const;
  void ProposeWrites();
  void TimeCommit(uint64_t proposed);
  RegionError ProposalError(const absl::Status& status) const;
  void OnRole(const raft::SoftState& state);
  void WatchForSplit(const std::vector<eraftpb::Entry>& committed);
  bool CanLease() const;
  void EndLease();
  RegionView MakeView();
  std::shared_ptr<RegionRange> NewRange() const;
  void ServeReads();
  // About how many bytes the log holds beyond what all replicas have, since this one led.
  uint64_t HeldLogBytes(uint64_t replicated);

  const PeerContext context_;
  const PeerId id_;
  Applier applier_;
  PeerStorage storage_;
  std::unique_ptr<raft::RawNode> node_;

  std::vector<PendingWrite> writes_;
  ProposalQueue proposals_;
  ReadQueue reads_;
  std::vector<Completion> completions_;

  std::shared_ptr<ReadDelegate> delegate_;               // Published while the lease may be used.
  std::shared_ptr<const RegionRange> range_;             // For views by read index.
  std::deque<std::pair<uint64_t, uint64_t>> log_sizes_;  // Applied index, bytes written by then.
  // One write under way whose way to its commit is timed; 0: none.
  uint64_t timed_index_ = 0;
  MonotonicTime timed_since_;
  bool splitting_ = false;  // A split is committed, not yet applied.
  bool installing_ = false;
  raft::Ready install_ready_;
  absl::flat_hash_map<uint64_t, metapb::Peer> known_peers_;  // Senders, while the region is not.
};

}  // namespace tikv::server
