// Two stores on real threads and sockets; PD is a table of addresses.
#include "server/raftstore/store/raft_store.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>

#include "lib/base/check.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/env/posix/clock.h"
#include "lib/env/posix/file_system.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/rpc/server.h"
#include "proto/errorpb.pb.h"
#include "server/raftstore/store/initial_state.h"

namespace tikv::server {
namespace {

template <class T>
class Waiter {
 public:
  auto Take() {
    return [this](T value) {
      std::lock_guard lock(mutex_);
      value_ = std::move(value);
      ready_.notify_all();
    };
  }
  T Get() {
    std::unique_lock lock(mutex_);
    CHECK(ready_.wait_for(lock, std::chrono::seconds(20), [&] { return value_.has_value(); }));
    return *std::move(value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<T> value_;
};

class FakePd : public PdClient {
 public:
  std::map<uint64_t, std::string> addresses;
  std::function<void(const pdpb::RegionHeartbeatResponse&)> orders;
  std::atomic<uint64_t> next_id{1000};
  // The newest heartbeat, for waiting.
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, pdpb::RegionHeartbeatRequest> regions;

  ClusterId cluster_id() const override { return ClusterId(1); }
  void IsBootstrapped(Callback<absl::StatusOr<bool>> done) override { std::move(done)(true); }
  void Bootstrap(metapb::Store, metapb::Region, Callback<absl::Status> done) override {
    std::move(done)(absl::OkStatus());
  }
  void AllocIds(uint32_t, Callback<absl::StatusOr<std::vector<uint64_t>>> done) override {
    std::move(done)(std::vector<uint64_t>{next_id++});
  }
  void PutStore(metapb::Store, Callback<absl::Status> done) override {
    std::move(done)(absl::OkStatus());
  }
  void GetStore(StoreId id, Callback<absl::StatusOr<metapb::Store>> done) override {
    metapb::Store store;
    store.set_id(id.value);
    store.set_address(addresses[id.value]);
    std::move(done)(store);
  }
  void GetAllStores(Callback<absl::StatusOr<std::vector<metapb::Store>>> done) override {
    std::move(done)(std::vector<metapb::Store>());
  }
  void GetClusterConfig(Callback<absl::StatusOr<metapb::Cluster>> done) override {
    std::move(done)(metapb::Cluster());
  }
  void StoreHeartbeat(pdpb::StoreStats,
                      Callback<absl::StatusOr<pdpb::StoreHeartbeatResponse>> done) override {
    std::move(done)(pdpb::StoreHeartbeatResponse());
  }
  void SetRegionHeartbeatHandler(
      std::function<void(const pdpb::RegionHeartbeatResponse&)> on_response,
      std::function<void()>) override {
    if (!orders) orders = std::move(on_response);  // The first store leads.
  }
  void RegionHeartbeat(pdpb::RegionHeartbeatRequest request) override {
    std::lock_guard lock(mutex);
    const uint64_t id = request.region().id();
    regions[id] = std::move(request);
    changed.notify_all();
  }
  void AskBatchSplit(metapb::Region region, uint32_t count,
                     Callback<absl::StatusOr<std::vector<pdpb::SplitID>>> done) override {
    std::vector<pdpb::SplitID> ids(count);
    for (auto& id : ids) {
      id.set_new_region_id(next_id++);
      for (int i = 0; i < region.peers_size(); ++i) id.add_new_peer_ids(next_id++);
    }
    std::move(done)(std::move(ids));
  }
  void ReportBatchSplit(std::vector<metapb::Region>, Callback<absl::Status> done) override {
    std::move(done)(absl::OkStatus());
  }
  void GetRegion(std::string, Callback<absl::StatusOr<PdRegion>> done) override {
    std::move(done)(absl::NotFoundError("no"));
  }
  void GetRegionById(RegionId, Callback<absl::StatusOr<PdRegion>> done) override {
    std::move(done)(absl::NotFoundError("no"));
  }
  void Tso(Callback<absl::StatusOr<Timestamp>> done) override { std::move(done)(Timestamp{1}); }
  void GetGcSafePoint(Callback<absl::StatusOr<Timestamp>> done) override {
    std::move(done)(Timestamp{0});
  }

  bool WaitFor(const std::function<bool(const pdpb::RegionHeartbeatRequest&)>& fits) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20),
                            [&] { return regions.contains(1) && fits(regions[1]); });
  }
};

struct Machine {
  Machine(uint64_t id, FakePd* pd, const std::string& dir, bool first)
      : engine(engine::NewMemEngine(&fs)) {
    if (first) {
      metapb::Region region;
      region.set_id(1);
      region.mutable_region_epoch()->set_version(1);
      region.mutable_region_epoch()->set_conf_ver(1);
      auto* peer = region.add_peers();
      peer->set_id(101);
      peer->set_store_id(1);
      engine::WriteBatch batch;
      Applier::SaveRegion(region, raft_serverpb::PeerState::Normal, &batch);
      Applier::SaveApplyState(1, kInitialApplyState, &batch);
      CHECK_OK(engine->Write(&batch));
    }
    auto opened =
        raftlog::RaftLog::Open(&fs, {.dir = dir + "/log", .segment_bytes = 1 << 20}, Random(id));
    CHECK_OK(opened);
    log = *std::move(opened);
    RaftStoreOptions options;
    options.config.snapshot_dir = dir + "/snap";
    options.store = StoreId(id);
    options.engine = engine.get();
    options.log = log.get();
    options.fs = &fs;
    options.clock = &clock;
    options.pd = pd;
    options.channels = &channels;
    options.raft_thread = &raft;
    options.snapshot_thread = &snapshots;
    options.background = &background;
    options.seed = id;
    options.on_fatal = [](const absl::Status& s) { CHECK(false) << s.ToString(); };
    store = std::make_unique<RaftStore>(std::move(options));
    store->RegisterServices(&server);
    pd->addresses[id] = fmt::format("127.0.0.1:{}", *server.Listen("127.0.0.1:0"));
    CHECK_OK(store->Start());
  }
  ~Machine() {
    server.Stop();
    background.Stop();
    snapshots.Stop();
    raft.Stop();
    store.reset();
  }

  PosixFileSystem fs;
  PosixClock clock;
  std::unique_ptr<engine::KvEngine> engine;
  std::unique_ptr<raftlog::RaftLog> log;
  ThreadExecutor raft{{.name = "raft"}, &clock};
  ThreadExecutor snapshots{{.name = "snapshots"}, &clock};
  ThreadPool background{{.name = "background"}};
  rpc::ChannelPool channels;
  rpc::Server server{rpc::ServerOptions{.loops = 1}};
  std::unique_ptr<RaftStore> store;
};

class RaftStoreTest : public testing::Test {
 protected:
  RaftStoreTest() {
    std::string dir = testing::TempDir() + "raft_store-XXXXXX";
    dir_ = mkdtemp(dir.data());
    first_ = std::make_unique<Machine>(1, &pd_, dir_ + "/1", true);
    second_ = std::make_unique<Machine>(2, &pd_, dir_ + "/2", false);
    header_ = {.region = RegionId(1),
               .peer = PeerId(101),
               .store = StoreId(1),
               .conf_ver = 1,
               .version = 1};
    EXPECT_TRUE(pd_.WaitFor([](const auto& h) { return h.leader().store_id() == 1; }));
  }
  ~RaftStoreTest() override {
    first_.reset();
    second_.reset();
    PosixFileSystem fs;
    RemoveAll(&fs, dir_).IgnoreError();
  }

  std::string Put(const std::string& key, const std::string& value) {
    WriteCommand command;
    command.Put(engine::Cf::kDefault, key, value);
    Waiter<WriteResult> waiter;
    first_->store->AsyncWrite(header_, std::move(command), waiter.Take());
    WriteResult result = waiter.Get();
    return result.error ? std::string(result.error.message()) : "";
  }
  void Order(eraftpb::ConfChangeType type) {
    pdpb::RegionHeartbeatResponse order;
    order.set_region_id(1);
    {
      std::lock_guard lock(pd_.mutex);
      *order.mutable_region_epoch() = pd_.regions[1].region().region_epoch();
    }
    order.mutable_change_peer()->set_change_type(type);
    order.mutable_change_peer()->mutable_peer()->set_id(102);
    order.mutable_change_peer()->mutable_peer()->set_store_id(2);
    pd_.orders(order);
  }

  FakePd pd_;
  std::string dir_;
  std::unique_ptr<Machine> first_;
  std::unique_ptr<Machine> second_;
  RequestHeader header_;
};

TEST_F(RaftStoreTest, WritesReadsAndASecondReplicaBySnapshot) {
  ASSERT_EQ(Put("k", std::string(3 << 20, 'v')), "");
  RegionView view;
  ASSERT_TRUE(first_->store->TryLocalRead(header_, ReadMode::kDirect, &view));
  engine::PinnedValue value;
  EXPECT_TRUE(*view.Get(engine::Cf::kDefault, "k", &value));
  EXPECT_EQ(value.view().size(), size_t{3} << 20);
  EXPECT_TRUE(view.StillCurrent());

  Order(eraftpb::ConfChangeType::AddLearnerNode);
  ASSERT_TRUE(pd_.WaitFor(
      [](const auto& h) { return h.region().peers_size() == 2 && h.pending_peers_size() == 0; }));
  Order(eraftpb::ConfChangeType::AddNode);
  ASSERT_TRUE(pd_.WaitFor([](const auto& h) { return h.region().region_epoch().conf_ver() == 3; }));
  ASSERT_EQ(Put("k2", "v"), "");
  EXPECT_TRUE(*second_->engine->Get(engine::Cf::kDefault, "zk", &value));
  value.Reset();

  // The leader leaves: the other one takes over, and who comes late is sent there.
  Waiter<bool> left;
  first_->store->HandLeadersOver([done = left.Take()]() mutable { done(true); });
  EXPECT_TRUE(left.Get());
  EXPECT_TRUE(pd_.WaitFor([](const auto& h) { return h.leader().store_id() == 2; }));
  EXPECT_NE(Put("k3", "v").find("is not leader"), std::string::npos);
}

TEST_F(RaftStoreTest, SplitsAndDescribes) {
  Waiter<SplitResult> waiter;
  first_->store->SplitRegion(header_, {"m", "f", "m"}, waiter.Take());
  const SplitResult result = waiter.Get();
  ASSERT_FALSE(result.error) << result.error.message();
  ASSERT_EQ(result.regions.size(), 3u);
  Waiter<std::vector<RegionId>> list;
  first_->store->ListRegions(list.Take());
  EXPECT_EQ(list.Get().size(), 3u);
  Waiter<absl::StatusOr<RegionDetails>> details;
  first_->store->DescribeRegion(RegionId(1), details.Take());
  EXPECT_EQ(details.Get()->region_local_state.region().start_key(), "m");
  Waiter<absl::StatusOr<RegionDetails>> unknown;
  first_->store->DescribeRegion(RegionId(77), unknown.Take());
  EXPECT_EQ(unknown.Get().status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(Put("a", "v").find("epoch not match"), std::string::npos);
}

}  // namespace
}  // namespace tikv::server
