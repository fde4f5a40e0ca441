// The leader's life: bootstrap, ids, stores, heartbeats, restarts.
#include "pd/cluster/cluster.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/engine/mem/mem_engine.h"
#include "lib/sim/scheduler.h"
#include "pd/cluster/testing/fake_meta_store.h"

namespace tikv::pd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A store that does as it is told at once.
class FakeStore : public OrderSink, public std::enable_shared_from_this<FakeStore> {
 public:
  void Send(const pdpb::RegionHeartbeatResponse& order) override { orders.push_back(order); }
  std::vector<pdpb::RegionHeartbeatResponse> orders;
};

class ClusterTest : public ::testing::Test {
 protected:
  ClusterTest() : meta_(42), strand_(sim_.NewStrand("pd")) { Start(""); }

  void Start(const std::string& toml) {
    host_.clock = &clock_;
    host_.meta = &meta_;
    host_.executor = strand_.get();
    host_.config_text = toml;
    cluster_ = std::make_unique<Cluster>(
        host_, std::make_unique<RegionCache>(engine::NewMemEngine(nullptr)));
    meta_.AddLeaderListener(cluster_.get());
    sim_.RunReady();
  }

  // Runs what a call left to the strand and returns what it answered.
  template <class F>
  absl::Status Ask(F call) {
    absl::Status out = absl::UnknownError("no answer");
    call([&](absl::Status s) { out = s; });
    sim_.RunReady();
    return out;
  }

  uint64_t Alloc(uint64_t n) {
    uint64_t id = 0;
    cluster_->AllocIds(n, [&](absl::StatusOr<uint64_t> last) { id = last.value_or(0); });
    sim_.RunReady();
    return id;
  }

  metapb::Store StoreMeta(uint64_t id) {
    metapb::Store s;
    s.set_id(id);
    s.set_address(fmt::format("s{}:1", id));
    s.set_version("8.5.0");
    return s;
  }

  void Beat(uint64_t id) {
    pdpb::StoreHeartbeatRequest r;
    r.mutable_stats()->set_store_id(id);
    r.mutable_stats()->set_capacity(100ULL << 30);
    r.mutable_stats()->set_available(90ULL << 30);
    pdpb::StoreHeartbeatResponse reply;
    ASSERT_TRUE(cluster_->StoreHeartbeat(r, &reply).ok());
    EXPECT_EQ(reply.cluster_version(), "8.5.0");
  }

  void AddStore(uint64_t id) {
    ASSERT_TRUE(Ask([&](auto done) { cluster_->PutStore(StoreMeta(id), std::move(done)); }).ok());
    Beat(id);
  }

  // Store 1 with region 2, whose peer is 3.
  void Bootstrap() {
    region_.set_id(2);
    region_.mutable_region_epoch()->set_version(1);
    region_.mutable_region_epoch()->set_conf_ver(1);
    auto* p = region_.add_peers();
    p->set_id(3);
    p->set_store_id(1);
    ASSERT_TRUE(
        Ask([&](auto done) { cluster_->Bootstrap(StoreMeta(1), region_, std::move(done)); }).ok());
    ASSERT_TRUE(Ask([&](auto done) { cluster_->PutStore(StoreMeta(1), std::move(done)); }).ok());
    Beat(1);
  }

  // The region's leader reports, and carries out what it is told, until it is told nothing.
  void Settle() {
    for (int i = 0; i < 30; ++i) {
      pdpb::RegionHeartbeatRequest r;
      *r.mutable_region() = region_;
      *r.mutable_leader() = region_.peers(0);
      auto out = cluster_->RegionHeartbeat(&r, sink_);
      ASSERT_TRUE(out.end.ok());
      ASSERT_EQ(out.rejection, "");
      sim_.RunFor(milliseconds(200));
      if (!out.order || !out.order->has_change_peer()) continue;
      const auto& change = out.order->change_peer();
      auto* peers = region_.mutable_peers();
      auto same = [&](const auto& p) { return p.id() == change.peer().id(); };
      peers->erase(std::remove_if(peers->begin(), peers->end(), same), peers->end());
      if (change.change_type() != eraftpb::RemoveNode) *region_.add_peers() = change.peer();
      region_.mutable_region_epoch()->set_conf_ver(region_.region_epoch().conf_ver() + 1);
    }
  }

  std::set<uint64_t> Stores() {
    std::set<uint64_t> out;
    for (const auto& p : region_.peers()) out.insert(p.store_id());
    return out;
  }

  sim::ManualClock clock_;
  sim::Scheduler sim_{&clock_, Random(1, "cluster-test")};
  FakeMetaStore meta_;
  std::unique_ptr<Executor> strand_;
  Host host_;
  std::unique_ptr<Cluster> cluster_;
  std::shared_ptr<FakeStore> sink_ = std::make_shared<FakeStore>();
  metapb::Region region_;
};

TEST_F(ClusterTest, BootstrapsOnce) {
  EXPECT_TRUE(cluster_->serving());
  EXPECT_FALSE(cluster_->bootstrapped());
  Bootstrap();
  EXPECT_TRUE(cluster_->bootstrapped());
  EXPECT_TRUE(absl::IsAlreadyExists(
      Ask([&](auto done) { cluster_->Bootstrap(StoreMeta(9), region_, std::move(done)); })));
  EXPECT_NE(cluster_->With([](ClusterState& s) { return s.regions.ByKey("x"); }), nullptr);
}

TEST_F(ClusterTest, IdsNeverRepeat) {
  uint64_t last = 0;
  for (uint64_t n : {1, 10, 999, 2500, 1}) {
    const uint64_t id = Alloc(n);
    EXPECT_GE(id, last + n);
    last = id;
  }
  meta_.Lead(false);
  EXPECT_EQ(Alloc(1), 0u) << "a follower gives none";
  meta_.Lead(true);
  sim_.RunReady();
  EXPECT_GT(Alloc(1), last);
}

TEST_F(ClusterTest, ManyIdsAreWaitedForWhileAWindowIsSaved) {
  ASSERT_NE(Alloc(1), 0u);
  uint64_t few = 0, many = 0;
  // The first begins to save a window, which is too small for the second.
  cluster_->AllocIds(600, [&](absl::StatusOr<uint64_t> last) { few = last.value_or(0); });
  cluster_->AllocIds(5'000, [&](absl::StatusOr<uint64_t> last) { many = last.value_or(0); });
  sim_.RunReady();
  EXPECT_NE(few, 0u);
  EXPECT_GE(many, few + 5'000);
}

// Any etcd client may write these keys.
TEST_F(ClusterTest, LoadsInSpiteOfRecordsOfAnotherType) {
  meta::Txn txn;
  txn.then.push_back(meta::Op::Put(cluster_->keys().ServiceSafePoints() + "a",
                                   R"({"safe_point":"1","expired_at":[]})"));
  meta_.Commit(std::move(txn), [](absl::StatusOr<meta::TxnResult>) {});
  ASSERT_TRUE(Ask([&](auto done) {
                cluster_->ChangeConfig(
                    [](Config& c) {
                      return c.Update(nlohmann::json::parse(
                          R"({"schedule.schedulers-v2":[{"type":1,"disable":"x"}]})"));
                    },
                    std::move(done));
              }).ok());
  meta_.Lead(false);
  sim_.RunReady();
  meta_.Lead(true);
  sim_.RunReady();
  EXPECT_TRUE(cluster_->serving());
}

// What a reader is shown must not be taken back by a failover.
TEST_F(ClusterTest, ReadersWaitUntilWhatTheySawIsDurable) {
  auto set = [&](int limit, absl::Status* out) {
    cluster_->ChangeConfig(
        [=](Config& c) {
          return c.Update({{"leader-schedule-limit", limit}});
        },
        [out](absl::Status s) { *out = std::move(s); });
  };
  auto read = [&](absl::Status* out) {
    *out = absl::UnknownError("waits");
    cluster_->WhenDurable([out](absl::Status s) { *out = std::move(s); });
  };
  absl::Status first, second, late;
  read(&first);
  EXPECT_TRUE(first.ok()) << "nothing is being written";

  meta_.Hold();
  set(9, &late);
  read(&first);
  sim_.RunReady();
  read(&second);
  EXPECT_TRUE(absl::IsUnknown(first));
  EXPECT_TRUE(absl::IsUnknown(second));
  meta_.Release(absl::OkStatus());
  sim_.RunReady();
  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(second.ok());
  EXPECT_TRUE(late.ok());

  // One that fails while this member goes on leading is taken back, with what came behind it.
  meta_.Hold();
  absl::Status lost, behind;
  set(10, &lost);
  sim_.RunReady();
  set(11, &behind);
  read(&second);
  meta_.Release(absl::DeadlineExceededError("etcdserver: request timed out"));
  EXPECT_TRUE(absl::IsDeadlineExceeded(lost));
  EXPECT_TRUE(absl::IsUnavailable(behind));
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
  sim_.RunReady();
  read(&second);
  EXPECT_TRUE(second.ok());
  cluster_->With([](ClusterState& s) { EXPECT_EQ(s.config.schedule().leader_schedule_limit, 9u); });
  set(12, &late);
  sim_.RunReady();
  EXPECT_TRUE(late.ok());
}

TEST_F(ClusterTest, ARecordThatDoesNotDecodeIsNamedAndMayBePutRight) {
  std::vector<std::string> reports;
  host_.report = [&](std::string_view, std::string_view why) { reports.emplace_back(why); };
  FakeMetaStore broken(42);
  host_.meta = &broken;
  Cluster other(host_, nullptr);
  auto put = [&](std::string value) {
    meta::Txn txn;
    txn.then.push_back(meta::Op::Put("/pd/42/config", std::move(value)));
    broken.Commit(std::move(txn), [](absl::StatusOr<meta::TxnResult>) {});
  };
  put("nonsense");
  broken.AddLeaderListener(&other);
  sim_.RunFor(seconds(5));
  EXPECT_FALSE(other.serving());
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(reports[0].find("/pd/42/config"), std::string::npos) << reports[0];
  EXPECT_EQ(other.trouble(), reports[0]);
  put("{}");
  sim_.RunFor(seconds(2));
  EXPECT_TRUE(other.serving());
  EXPECT_EQ(other.trouble(), "");
  broken.Lead(false);
  sim_.RunReady();
}

TEST_F(ClusterTest, FillsUpAndEmptiesStores) {
  Bootstrap();
  for (uint64_t id : {4, 5}) AddStore(id);
  Settle();
  EXPECT_EQ(Stores(), (std::set<uint64_t>{1, 4, 5}));

  AddStore(6);
  ASSERT_TRUE(Ask([&](auto done) {
                cluster_->ChangeStore(
                    StoreId(5),
                    [](ClusterState& s) { return s.stores.Remove(StoreId(5), false, 3); },
                    std::move(done));
              }).ok());
  ASSERT_TRUE(Ask([&](auto done) {
                cluster_->ChangeConfig(
                    [](Config& c) {
                      return c.Update({{"enable-joint-consensus", false}});
                    },
                    std::move(done));
              }).ok());
  Settle();
  EXPECT_EQ(Stores(), (std::set<uint64_t>{1, 4, 6}));
  sim_.RunFor(seconds(3));
  EXPECT_TRUE(cluster_->With([](ClusterState& s) { return s.stores.Find(StoreId(5))->removed(); }));
  EXPECT_TRUE(Ask([&](auto done) { cluster_->RemoveTombstones(std::move(done)); }).ok());
  EXPECT_EQ(cluster_->With([](ClusterState& s) { return s.stores.Find(StoreId(5)); }), nullptr);
}

TEST_F(ClusterTest, RefusesStaleAndSenselessHeartbeats) {
  Bootstrap();
  Settle();
  auto beat = [&](auto edit) {
    pdpb::RegionHeartbeatRequest r;
    *r.mutable_region() = region_;
    *r.mutable_leader() = region_.peers(0);
    edit(r);
    return cluster_->RegionHeartbeat(&r, sink_);
  };
  auto rejected = [&](auto edit, const char* text) {
    auto out = beat(edit);
    EXPECT_TRUE(out.end.ok());
    EXPECT_NE(out.rejection.find(text), std::string::npos) << out.rejection;
  };
  region_.mutable_region_epoch()->set_version(3);
  beat([](auto&) {});
  rejected([](auto& r) { r.mutable_region()->mutable_region_epoch()->set_version(2); },
           "region is stale");
  rejected([](auto& r) { r.mutable_region()->set_id(0); }, "invalid request region");
  rejected([](auto& r) { r.clear_region(); }, "invalid request region");
  rejected(
      [](auto& r) {
        r.mutable_region()->set_start_key("z");
        r.mutable_region()->set_end_key("a");
      },
      "invalid request region");
  EXPECT_FALSE(beat([](auto& r) { r.clear_leader(); }).end.ok());
}

TEST_F(ClusterTest, ANewLeaderGoesOnWithWhatWasDurable) {
  Bootstrap();
  for (uint64_t id : {4, 5}) AddStore(id);
  Settle();
  ASSERT_TRUE(Ask([&](auto done) {
                cluster_->ChangeConfig(
                    [](Config& c) {
                      return c.Update({{"leader-schedule-limit", 9}});
                    },
                    std::move(done));
              }).ok());
  ASSERT_TRUE(Ask([&](auto done) {
                cluster_->ChangeSchedulers(
                    [](ClusterState& s) {
                      std::erase_if(s.schedulers, [](const auto& e) {
                        return e.scheduler->name() == "balance-region-scheduler";
                      });
                      SchedulerEntry e{NewScheduler("evict-leader-scheduler")};
                      e.scheduler->AddStore(StoreId(4));
                      s.schedulers.push_back(std::move(e));
                      return absl::OkStatus();
                    },
                    std::move(done));
              }).ok());
  meta_.Lead(false);
  EXPECT_FALSE(cluster_->serving());
  sim_.RunReady();
  meta_.Lead(true);
  sim_.RunReady();
  EXPECT_TRUE(cluster_->bootstrapped());
  cluster_->With([&](ClusterState& s) {
    EXPECT_EQ(s.config.schedule().leader_schedule_limit, 9u);
    EXPECT_EQ(s.stores.all().size(), 3u);
    EXPECT_EQ(s.FindScheduler("balance-region-scheduler"), nullptr);
    SchedulerEntry* evict = s.FindScheduler("evict-leader-scheduler");
    ASSERT_NE(evict, nullptr);
    EXPECT_EQ(evict->scheduler->Stores(), std::vector<StoreId>{StoreId(4)});
    RegionPtr r = s.regions.ByKey("k");
    ASSERT_NE(r, nullptr) << "out of the local cache";
    EXPECT_EQ(r->meta.peers_size(), 3);
    EXPECT_FALSE(r->reported);
    EXPECT_FALSE(s.prepared);
  });
}

TEST_F(ClusterTest, AStoreWhoseStreamBrokeTakesNoLeaders) {
  Bootstrap();
  Settle();
  auto paused = [&] {
    sim_.RunFor(milliseconds(200));
    return cluster_->With(
        [](ClusterState& s) { return s.stores.Find(StoreId(1))->pause_leader_in; });
  };
  EXPECT_FALSE(paused());
  cluster_->CloseStream(sink_.get());
  EXPECT_TRUE(paused());
  Beat(1);
  EXPECT_FALSE(paused());
}

TEST_F(ClusterTest, AStoreIsNotBuriedOnIncompleteReports) {
  Bootstrap();
  for (uint64_t id : {4, 5, 6}) AddStore(id);
  ASSERT_TRUE(Ask([&](auto done) {
                cluster_->ChangeStore(
                    StoreId(6),
                    [](ClusterState& s) { return s.stores.Remove(StoreId(6), false, 3); },
                    std::move(done));
              }).ok());
  sim_.RunFor(seconds(5));
  auto state = [&] {
    return cluster_->With([](ClusterState& s) { return s.stores.Find(StoreId(6))->meta.state(); });
  };
  EXPECT_EQ(state(), metapb::Offline) << "no region has reported who holds it";
  Settle();
  sim_.RunFor(seconds(3));
  EXPECT_EQ(state(), metapb::Tombstone);
}

TEST_F(ClusterTest, TheConfigurationFileCountsUntilChanged) {
  cluster_.reset();
  FakeMetaStore fresh(43);
  host_.meta = &fresh;
  host_.config_text = "[replication]\nmax-replicas = 1\nlocation-labels = [\"zone\"]\n";
  Cluster other(host_, nullptr);
  fresh.AddLeaderListener(&other);
  sim_.RunReady();
  other.With([](ClusterState& s) {
    EXPECT_EQ(s.config.replication().max_replicas, 1u);
    EXPECT_EQ(s.config.replication().location_labels, std::vector<std::string>{"zone"});
  });
  fresh.Lead(false);
  sim_.RunReady();
}

TEST_F(ClusterTest, SplitIdsAreFreshAndEpochsAreChecked) {
  Bootstrap();
  Settle();
  auto ask = [&](metapb::Region r, uint32_t n) {
    absl::StatusOr<std::vector<pdpb::SplitID>> out = absl::UnknownError("no answer");
    cluster_->AskBatchSplit(r, n, [&](auto ids) { out = std::move(ids); });
    sim_.RunReady();
    return out;
  };
  auto ids = ask(region_, 3);
  ASSERT_TRUE(ids.ok());
  std::set<uint64_t> seen;
  for (const auto& id : *ids) {
    EXPECT_TRUE(seen.insert(id.new_region_id()).second);
    for (uint64_t p : id.new_peer_ids()) EXPECT_TRUE(seen.insert(p).second);
  }
  EXPECT_EQ(seen.size(), 6u);
  metapb::Region stale = region_;
  stale.mutable_region_epoch()->set_version(0);
  EXPECT_TRUE(absl::IsInvalidArgument(ask(stale, 1).status()));
  stale.set_id(99);
  EXPECT_TRUE(absl::IsNotFound(ask(stale, 1).status()));
}

TEST(RemovalProgress, ShowsHowFarAndHowLong) {
  RemovalProgress progress;
  EXPECT_FALSE(progress.Of(StoreId(1)).has_value());
  progress.Update(StoreId(1), 100, 0);
  EXPECT_EQ(progress.Of(StoreId(1))->done, 0);
  EXPECT_EQ(progress.Of(StoreId(1))->left_seconds, std::numeric_limits<double>::max());
  progress.Update(StoreId(1), 75, 5'000);
  EXPECT_DOUBLE_EQ(progress.Of(StoreId(1))->done, 0.25);
  EXPECT_DOUBLE_EQ(progress.Of(StoreId(1))->mib_per_second, 5);
  EXPECT_DOUBLE_EQ(progress.Of(StoreId(1))->left_seconds, 15);
  // Regions may grow while they wait.
  progress.Update(StoreId(1), 120, 6'000);
  EXPECT_EQ(progress.Of(StoreId(1))->done, 0);
  progress.Update(StoreId(2), 0, 6'000);
  EXPECT_EQ(progress.Of(StoreId(2))->done, 1) << "nothing to move";
  EXPECT_DOUBLE_EQ(progress.Overall()->done, 0.5);
  progress.Forget(StoreId(1));
  progress.Forget(StoreId(2));
  EXPECT_FALSE(progress.Overall().has_value());
}

TEST(GcState, BarriersHoldTheTransactionSafePoint) {
  GcState gc;
  using Barrier = GcState::Barrier;
  ASSERT_TRUE(gc.AdvanceTxn(100, 0).ok());
  EXPECT_FALSE(gc.SetBarrier(Barrier::kOfKeyspace, "late", 99, 10, 0).ok());
  EXPECT_FALSE(gc.SetBarrier(Barrier::kOfKeyspace, "a/b", 200, 10, 0).ok());
  EXPECT_FALSE(gc.SetBarrier(Barrier::kOfKeyspace, "gc_worker", 200, 10, 0).ok());
  EXPECT_FALSE(gc.SetBarrier(Barrier::kOfKeyspace, "b", 200, 0, 0).ok());
  ASSERT_TRUE(gc.SetBarrier(Barrier::kOfKeyspace, "b", 200, 10, 0).ok());
  ASSERT_TRUE(gc.SetBarrier(Barrier::kGlobal, "all", 150, 5, 0).ok());
  auto advance = gc.AdvanceTxn(300, 1);
  ASSERT_TRUE(advance.ok());
  EXPECT_EQ(advance->new_point, 150u);
  EXPECT_NE(advance->blocker.find("all"), std::string::npos);
  EXPECT_EQ(gc.AdvanceTxn(300, 7)->new_point, 200u) << "the global one has ended";
  EXPECT_EQ(gc.DeleteBarrier(Barrier::kOfKeyspace, "b")->safe_point, 200u);
  EXPECT_FALSE(gc.DeleteBarrier(Barrier::kOfKeyspace, "b").has_value());
  EXPECT_EQ(gc.AdvanceTxn(300, 8, {{"sql", 250}})->new_point, 250u);
}

TEST(GcState, SafePointsRiseAndServicesHoldThem) {
  GcState gc;
  const int64_t forever = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(gc.UpdateGcSafePoint(100), 100u);
  EXPECT_EQ(gc.UpdateGcSafePoint(50), 100u);
  EXPECT_EQ(gc.UpdateService("gc_worker", forever, 110, 0)->min.safe_point, 110u);
  EXPECT_EQ(gc.UpdateService("br", 1000, 120, 0)->min_service, "gc_worker");
  auto held = gc.UpdateService("gc_worker", forever, 130, 0);
  EXPECT_EQ(held->min_service, "br");
  EXPECT_EQ(held->min.safe_point, 120u);
  EXPECT_NE(gc.UpdateService("cdc", 1000, 5, 0)->min_service, "cdc");
  EXPECT_EQ(gc.UpdateService("br", 0, 0, 0)->min_service, "gc_worker");
  EXPECT_FALSE(gc.UpdateService("gc_worker", 100, 1, 0).ok());
  EXPECT_FALSE(gc.UpdateService("", 100, 1, 0).ok());
  EXPECT_EQ(gc.AdvanceTxn(200, 0)->new_point, 200u);
  EXPECT_FALSE(gc.AdvanceTxn(199, 0).ok());
  EXPECT_FALSE(gc.AdvanceGc(201).ok());
  EXPECT_EQ(*gc.AdvanceGc(200), 100u);
}

// The term of a member that has just stopped leading reads as 0.
TEST(MetaWriterTest, WritesNothingWithoutATerm) {
  sim::ManualClock clock;
  sim::Scheduler sim{&clock, Random(1, "writer-test")};
  auto strand = sim.NewStrand("pd");
  FakeMetaStore meta(42);
  MetaWriter writer(&meta, strand.get(), [](uint64_t) {});
  absl::Status answer;
  writer.Write(0, {meta::Op::Put("k", "v")}, [&](absl::Status s) { answer = s; });
  sim.RunReady();
  EXPECT_TRUE(absl::IsUnavailable(answer)) << answer;
  EXPECT_EQ(meta.Value("k"), "");
}

}  // namespace
}  // namespace tikv::pd
