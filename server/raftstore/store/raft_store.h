// RaftStore: the store on its threads.  Feeds Store from rpc loops, timers, PD and the network, and
// carries out what it asks for.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/engine/engine.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/env/file_system.h"
#include "lib/env/random.h"
#include "lib/log/logger.h"
#include "lib/metrics/metrics.h"
#include "lib/raftlog/raft_log.h"
#include "lib/rpc/channel.h"
#include "server/pdclient/pd_client.h"
#include "server/port/region_admin.h"
#include "server/port/replicated_engine.h"
#include "server/raftstore/config.h"
#include "server/raftstore/router/read_delegates.h"
#include "server/raftstore/store/store.h"
#include "server/raftstore/store/store_output.h"
#include "server/raftstore/transport/raft_sender.h"
#include "server/raftstore/transport/raft_service.h"
#include "server/raftstore/transport/snapshot_receiver.h"
#include "server/raftstore/transport/snapshot_sender.h"

namespace tikv::server {

// Everything outlives the RaftStore; the strands must be stopped before it is destroyed.
struct RaftStoreOptions {
  RaftStoreConfig config;
  StoreId store;
  engine::KvEngine* engine = nullptr;
  raftlog::RaftLog* log = nullptr;
  FileSystem* fs = nullptr;
  Clock* clock = nullptr;
  PdClient* pd = nullptr;
  rpc::ChannelPool* channels = nullptr;
  Executor* raft_thread = nullptr;      // "raftstore_0"; waits for fdatasync, for nothing else.
  Executor* snapshot_thread = nullptr;  // Reads and writes whole regions.
  TaskRunner* background = nullptr;     // May block: deletions, split checks, engine syncs.
  uint64_t seed = 0;
  metrics::Registry* metrics = nullptr;  // Null: figures are kept for nobody.
  log::Logger logger;
  // The disk failed or the data is damaged.  Must end the process; called on the raft thread.
  std::function<void(const absl::Status&)> on_fatal;
};

// Figures for metrics; any thread.
struct RaftStoreStats {
  std::atomic<uint64_t> regions{0};
  std::atomic<uint64_t> leaders{0};
  std::atomic<uint64_t> rounds{0};
  std::atomic<uint64_t> reads{0};  // Through the raft thread.
  std::atomic<uint64_t> writes{0};
  std::atomic<uint64_t> refused{0};  // Over a bound.
  std::atomic<uint64_t> messages_sent{0};
  std::atomic<uint64_t> messages_received{0};
  std::atomic<uint64_t> bytes_written{0};  // By requests that this store proposed; so keys.
  std::atomic<uint64_t> keys_written{0};
  std::atomic<uint64_t> sending_snapshots{0};  // These three: at the moment.
  std::atomic<uint64_t> receiving_snapshots{0};
  std::atomic<uint64_t> applying_snapshots{0};
};

// The ports' methods are thread-safe.  Start to HandLeadersOver: main thread.
class RaftStore : public ReplicatedEngine, public RegionAdmin, private StoreOutput {
 public:
  explicit RaftStore(RaftStoreOptions options);
  ~RaftStore() override;

  // Loads the regions (on the calling thread), then begins to tick.
  absl::Status Start();
  // Takes over what config.h marks as changeable.  Thread-safe.
  void Reconfigure(const RaftStoreConfig& config);
  // As the disk's watcher sees it, whenever it changes.  Thread-safe.
  void SetDiskUsage(DiskUsage usage);
  // Raft, BatchRaft and Snapshot.  Before the server listens.
  void RegisterServices(rpc::Server* server);
  // Leaders go to other stores, also those that come later; `done` on the raft thread when none is
  // left, or after config.shutdown_transfer_timeout.  Requests are served until the thread stops;
  // what waits then is answered "TiKV is Closing".
  void HandLeadersOver(Callback<> done);

  const RaftStoreStats& stats() const { return stats_; }

  // ReplicatedEngine
  bool TryLocalRead(const RequestHeader& header, ReadMode mode, RegionView* view) override;
  void AsyncRead(const RequestHeader& header, Callback<ReadResult> done) override;
  void AsyncWrite(const RequestHeader& header, WriteCommand command,
                  Callback<WriteResult> done) override;
  // RegionAdmin
  void SplitRegion(const RequestHeader& header, std::vector<std::string> keys,
                   Callback<SplitResult> done) override;
  void ListRegions(Callback<std::vector<RegionId>> done) override;
  void DescribeRegion(RegionId region, Callback<absl::StatusOr<RegionDetails>> done) override;
  void RaftEntry(RegionId region, uint64_t index,
                 Callback<absl::StatusOr<eraftpb::Entry>> done) override;

 private:
  class EventLog;

  // What may enter the raft thread's queue; an error when it is full or the store is closing.
  RegionError Admit(size_t bytes);
  bool Reserve(size_t bytes);  // The bound alone.
  void Leave(size_t bytes);
  // Runs on the raft thread, and a round after all that is queued then.
  void Enter(Task task);
  void ScheduleRound();
  void Round();
  void Tick();
  void ListenToPd();
  void HandOverStep(MonotonicTime deadline, Callback<> done);

  // StoreOutput
  void Send(raft_serverpb::RaftMessage message) override;
  void SendSnapshot(raft_serverpb::RaftMessage message,
                    std::shared_ptr<const engine::Snapshot> data) override;
  void FlushMessages() override;
  void Install(InstallTask task) override;
  void DeleteData(std::string start, std::string end) override;
  void CheckSplit(SplitCheckTask task) override;
  void SyncEngine() override;
  void ReportRegion(pdpb::RegionHeartbeatRequest heartbeat) override;
  void AskSplitIds(metapb::Region region, uint32_t count, uint64_t token) override;
  void ReportSplit(std::vector<metapb::Region> regions) override;
  void AskRegion(RegionId region) override;
  void Fatal(const absl::Status& status) override;

  const RaftStoreOptions options_;
  std::unique_ptr<metrics::Registry> own_registry_;  // When none is given.
  StoreMetrics metrics_;
  RaftStoreConfig config_;  // Raft thread only; options_.config is that of the start.
  Executor* const raft_;
  std::unique_ptr<EventLog> events_;
  Random random_;
  ReadDelegates delegates_;
  StoreAddresses addresses_;
  RaftSender sender_;
  SnapshotSender snapshot_sender_;
  std::shared_ptr<SnapshotReceiver> snapshot_receiver_;
  Store store_;  // Raft thread only, once started.
  bool round_scheduled_ = false;

  std::atomic<size_t> queued_{0};
  std::atomic<size_t> queued_bytes_{0};
  std::atomic<bool> closing_{false};
  RaftStoreStats stats_;
};

}  // namespace tikv::server
