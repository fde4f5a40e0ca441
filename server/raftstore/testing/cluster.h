// Several stores in one thread: real engines in memory, real Raft logs on disk, messages handed
// over directly, time by hand.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/engine/engine.h"
#include "lib/env/posix/file_system.h"
#include "lib/env/random.h"
#include "lib/raftlog/raft_log.h"
#include "server/raftstore/store/store.h"

namespace tikv::server {

class TestCluster;

// One store and what it asked of the world.
class TestStore : public StoreOutput {
 public:
  TestStore(TestCluster* cluster, StoreId id, std::string dir);
  ~TestStore() override;

  // Opens the log (again); the engine survives as a process's files would.
  void Start();
  void Stop();
  bool running() const { return store_ != nullptr; }
  Store& store() { return *store_; }
  engine::KvEngine& engine() { return *engine_; }
  raftlog::RaftLog& log() { return *log_; }
  ReadDelegates& delegates() { return *delegates_; }
  StoreId id() const { return id_; }
  const absl::Status& fatal() const { return fatal_; }

  // Background work that waits; run by TestCluster::Settle unless `hold_background`.
  std::deque<Task> background;
  bool hold_background = false;
  bool hold_rounds = false;  // Inputs queue up, as while the raft thread waits for its disk.
  std::map<uint64_t, pdpb::RegionHeartbeatRequest> heartbeats;

  void Send(raft_serverpb::RaftMessage message) override;
  void SendSnapshot(raft_serverpb::RaftMessage message,
                    std::shared_ptr<const engine::Snapshot> data) override;
  void FlushMessages() override {}
  void Install(InstallTask task) override;
  void DeleteData(std::string start, std::string end) override;
  void CheckSplit(SplitCheckTask task) override;
  void SyncEngine() override;
  void ReportRegion(pdpb::RegionHeartbeatRequest heartbeat) override;
  void AskSplitIds(metapb::Region region, uint32_t count, uint64_t token) override;
  void ReportSplit(std::vector<metapb::Region> regions) override {}
  void AskRegion(RegionId region) override;
  void Fatal(const absl::Status& status) override { fatal_ = status; }

 private:
  TestCluster* cluster_;
  const StoreId id_;
  const std::string dir_;
  std::unique_ptr<engine::KvEngine> engine_;
  std::unique_ptr<raftlog::RaftLog> log_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<ReadDelegates> delegates_;
  std::unique_ptr<Store> store_;
  absl::Status fatal_;
};

// Region 1 spans everything; its peer on store s is 100 + s.
class TestCluster {
 public:
  // The region starts on the first `replicas` stores.
  TestCluster(int stores, int replicas);
  ~TestCluster();

  TestStore& at(uint64_t store) { return *stores_.at(store); }
  // Runs rounds and hands messages over until nothing moves.
  void Settle();
  // `n` times 100 ms.
  void Tick(int n = 1);
  // Ticks until `done`; false after 20 s.
  bool Until(const std::function<bool()>& done);

  // Ticks until the region has one leader that all its replicas agree on; returns its store.
  uint64_t Leader(uint64_t region = 1);
  // What a client that knows the region would send to this store.
  RequestHeader Header(uint64_t store, uint64_t region = 1);
  // "" or the message of the region error.
  std::string Put(const std::string& key, const std::string& value, uint64_t region = 1);
  std::string PutAt(uint64_t store, RequestHeader header, const std::string& key,
                    const std::string& value);
  // Straight from the store's engine; "-" when there is none.
  std::string Stored(uint64_t store, const std::string& key);
  std::string Change(eraftpb::ConfChangeType type, uint64_t store, uint64_t region = 1);
  std::vector<metapb::Region> Split(std::vector<std::string> keys, uint64_t region = 1);

  // True: the message is lost.
  std::function<bool(const raft_serverpb::RaftMessage&)> drop = [](const auto&) { return false; };
  void Isolate(uint64_t store);
  void Heal() {
    drop = [](const auto&) { return false; };
  }

  RaftStoreConfig config;
  MonotonicTime now{1'000'000'000'000};
  uint64_t next_id = 1000;
  PosixFileSystem fs;

 private:
  friend class TestStore;
  struct Delivery {
    raft_serverpb::RaftMessage message;
    std::shared_ptr<SnapshotFiles> files;
  };
  bool Step();

  std::string dir_;
  std::map<uint64_t, std::unique_ptr<TestStore>> stores_;
  std::deque<Delivery> network_;
  uint64_t next_snapshot_ = 1;
};

}  // namespace tikv::server
