// Builders, checkers, schedulers and the controller on small clusters.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "lib/env/random.h"
#include "pd/schedule/builder.h"
#include "pd/schedule/checker.h"
#include "pd/schedule/filter.h"
#include "pd/schedule/scheduler.h"

namespace tikv::pd {
namespace {

// A cluster under test: stores are up and roomy, regions are reported.
class World : public ::testing::Test {
 protected:
  World() {
    for (uint64_t id : {1, 2, 3}) AddStore(id);
  }

  StoreInfo* AddStore(uint64_t id, std::string zone = "") {
    metapb::Store s;
    s.set_id(id);
    s.set_address(fmt::format("s{}", id));
    s.set_version("8.5.0");
    if (!zone.empty()) {
      s.add_labels()->set_key("zone");
      s.mutable_labels(0)->set_value(zone);
    }
    EXPECT_TRUE(stores_.Put(s, {}, now_ms_).ok());
    StoreInfo* info = stores_.FindMutable(StoreId(id));
    info->stats.set_capacity(100ULL << 30);
    info->stats.set_available(90ULL << 30);
    return info;
  }

  // Voters on `stores`, led by the first.
  std::shared_ptr<RegionInfo> Region(uint64_t id, std::vector<uint64_t> stores,
                                     uint64_t size_mib = 10) {
    auto r = std::make_shared<RegionInfo>();
    r->meta.set_id(id);
    r->meta.set_start_key(fmt::format("{:05}", id));
    r->meta.set_end_key(fmt::format("{:05}", id + 1));
    r->meta.mutable_region_epoch()->set_version(1);
    r->meta.mutable_region_epoch()->set_conf_ver(5);
    for (uint64_t s : stores) {
      auto* p = r->meta.add_peers();
      p->set_id(id * 100 + s);
      p->set_store_id(s);
    }
    r->leader = r->meta.peers(0);
    r->approximate_size_mib = size_mib;
    r->reported = true;
    return r;
  }

  RegionPtr Put(std::shared_ptr<RegionInfo> r) {
    regions_.Put(r);
    return regions_.ById(r->id());
  }

  ClusterView View() {
    return {regions_, stores_, config_, now_ms_, &random_, [this] { return ++last_id_; }};
  }

  // Carries out the orders that the controller gives for a region until there are none; the
  // steps' texts.
  std::vector<std::string> Run(uint64_t id) {
    std::vector<std::string> done;
    for (int i = 0; i < 20; ++i) {
      pdpb::RegionHeartbeatResponse order;
      RegionPtr r = regions_.ById(RegionId(id));
      const Operator* op = controller_.Running(RegionId(id));
      if (!controller_.OnHeartbeat(View(), *r, &order)) break;
      op = controller_.Running(RegionId(id));
      done.push_back(Describe(op->steps[op->current]));
      regions_.Put(Obey(*r, order));
    }
    return done;
  }

  // What a store makes of an order.
  static std::shared_ptr<RegionInfo> Obey(const RegionInfo& before,
                                          const pdpb::RegionHeartbeatResponse& order) {
    auto r = std::make_shared<RegionInfo>(before);
    auto* epoch = r->meta.mutable_region_epoch();
    if (order.has_transfer_leader()) r->leader = order.transfer_leader().peer();
    if (order.has_change_peer()) {
      Change(r.get(), order.change_peer(), false);
      epoch->set_conf_ver(epoch->conf_ver() + 1);
    }
    if (order.has_change_peer_v2()) {
      const auto& changes = order.change_peer_v2().changes();
      for (const auto& c : changes) Change(r.get(), c, true);
      int left = 0;
      for (auto& p : *r->meta.mutable_peers()) {
        if (!changes.empty()) break;
        if (p.role() == metapb::IncomingVoter) p.set_role(metapb::Voter), ++left;
        if (p.role() == metapb::DemotingVoter) p.set_role(metapb::Learner), ++left;
      }
      epoch->set_conf_ver(epoch->conf_ver() + (changes.empty() ? left : changes.size()));
    }
    return r;
  }

  static void Change(RegionInfo* r, const pdpb::ChangePeer& c, bool joint) {
    auto* peers = r->meta.mutable_peers();
    auto it = std::find_if(peers->begin(), peers->end(),
                           [&](const auto& p) { return p.id() == c.peer().id(); });
    if (c.change_type() == eraftpb::RemoveNode) {
      if (it != peers->end()) peers->erase(it);
    } else if (it == peers->end()) {
      *peers->Add() = c.peer();
    } else if (!joint) {
      it->set_role(c.peer().role());
    } else {
      it->set_role(c.peer().role() == metapb::Voter ? metapb::IncomingVoter
                                                    : metapb::DemotingVoter);
    }
  }

  std::set<uint64_t> StoresOf(uint64_t id) {
    std::set<uint64_t> out;
    for (const auto& p : regions_.ById(RegionId(id))->meta.peers()) out.insert(p.store_id());
    return out;
  }

  int64_t now_ms_ = 1'000'000;
  RegionTable regions_;
  StoreTable stores_;
  Config config_;
  Random random_{1, "schedule-test"};
  uint64_t last_id_ = 1'000'000;
  OperatorController controller_;
  ReplicaChecker checker_{&controller_};
};

TEST_F(World, MovingALeaderExchangesVotersInOneJointConfiguration) {
  AddStore(4);
  RegionPtr r = Put(Region(1, {1, 2, 3}));
  auto op = MovePeer(View(), r, StoreId(1), StoreId(4), "test", 0);
  ASSERT_TRUE(op.ok()) << Message(op.status());
  ASSERT_TRUE(controller_.Add(View(), *op).ok());
  auto steps = Run(1);
  ASSERT_EQ(steps.size(), 5u) << "learner, transfer, enter, leave, remove";
  EXPECT_EQ(StoresOf(1), (std::set<uint64_t>{2, 3, 4}));
  EXPECT_NE(regions_.ById(RegionId(1))->leader.store_id(), 1u);
  EXPECT_FALSE(regions_.ById(RegionId(1))->InJointState());
  EXPECT_EQ(controller_.Latest(RegionId(1))->status, OperatorStatus::kSuccess);
  EXPECT_EQ(controller_.Of(StoreId(4)).region_size_mib, 0) << "its influence is over";
}

TEST_F(World, WithoutJointConsensusVotersChangeOneByOne) {
  ASSERT_TRUE(config_.Update({{"enable-joint-consensus", false}}).ok());
  AddStore(4);
  RegionPtr r = Put(Region(1, {1, 2, 3}));
  auto op = MovePeer(View(), r, StoreId(1), StoreId(4), "test", 0);
  ASSERT_TRUE(controller_.Add(View(), *op).ok());
  Run(1);
  EXPECT_EQ(StoresOf(1), (std::set<uint64_t>{2, 3, 4}));
}

TEST_F(World, ABuilderRefusesWhatCannotBe) {
  RegionPtr r = Put(Region(1, {1, 2}));
  auto build = [&](auto edit) {
    const ClusterView view = View();  // The builder refers to it.
    OperatorBuilder b(view, r, "test");
    edit(b);
    return b.Build(0, "").ok();
  };
  EXPECT_FALSE(build([](auto& b) { b.AddPeer(StoreId(1)); })) << "a peer is there";
  EXPECT_FALSE(build([](auto& b) { b.RemovePeerOn(StoreId(3)); })) << "no peer is there";
  EXPECT_FALSE(build([](auto& b) { b.RemovePeerOn(StoreId(1)).RemovePeerOn(StoreId(2)); }));
  EXPECT_FALSE(build([](auto&) {})) << "nothing to do";
  EXPECT_FALSE(build([](auto& b) { b.Promote(StoreId(2)); })) << "a voter already";
  stores_.FindMutable(StoreId(2))->pause_leader_in = true;
  EXPECT_FALSE(build([](auto& b) { b.RemovePeerOn(StoreId(1)); })) << "nobody takes the lead";
}

TEST_F(World, NoPeerGoesToAStoreThatIsNotThereOrLeaves) {
  const ClusterView view = View();
  RegionPtr r = Put(Region(1, {1, 2}));
  EXPECT_FALSE(MovePeer(view, r, StoreId(1), StoreId(99), "test", kOpAdmin).ok());
  EXPECT_TRUE(MovePeer(view, r, StoreId(1), StoreId(3), "test", kOpAdmin).ok());
  ASSERT_TRUE(stores_.Remove(StoreId(3), /*destroyed=*/false, /*needed=*/0).ok());
  EXPECT_FALSE(MovePeer(view, r, StoreId(1), StoreId(3), "test", kOpAdmin).ok());
}

TEST_F(World, TheCheckerFillsUpReplicas) {
  Put(Region(1, {1}));
  for (int i = 0; i < 2; ++i) {
    auto op = checker_.Check(View(), regions_.ById(RegionId(1)));
    ASSERT_TRUE(op.has_value());
    EXPECT_EQ(op->desc, "make-up-replica");
    ASSERT_TRUE(controller_.Add(View(), *op).ok());
    EXPECT_FALSE(checker_.Check(View(), regions_.ById(RegionId(1))).has_value()) << "one at a time";
    Run(1);
  }
  EXPECT_EQ(StoresOf(1), (std::set<uint64_t>{1, 2, 3}));
  EXPECT_FALSE(checker_.Check(View(), regions_.ById(RegionId(1))).has_value());
}

TEST_F(World, TheCheckerEmptiesAnOfflineStore) {
  AddStore(4);
  Put(Region(1, {1, 2, 3}));
  ASSERT_TRUE(stores_.Remove(StoreId(1), false, 3).ok());
  auto op = checker_.Check(View(), regions_.ById(RegionId(1)));
  ASSERT_TRUE(op.has_value());
  EXPECT_EQ(op->desc, "replace-offline-replica");
  ASSERT_TRUE(controller_.Add(View(), *op).ok());
  Run(1);
  EXPECT_EQ(StoresOf(1), (std::set<uint64_t>{2, 3, 4}));
}

TEST_F(World, TheCheckerReplacesWhatIsDownForLong) {
  AddStore(4);
  auto r = Region(1, {1, 2, 3});
  auto& down = r->down_peers.emplace_back();
  *down.mutable_peer() = r->meta.peers(2);
  down.set_down_seconds(3600);
  Put(r);
  EXPECT_FALSE(checker_.Check(View(), regions_.ById(RegionId(1))).has_value())
      << "its store reports";
  now_ms_ += 3'600'000;
  for (uint64_t id : {1, 2, 4})
    stores_.FindMutable(StoreId(id))->meta.set_last_heartbeat(now_ms_ * 1'000'000);
  auto op = checker_.Check(View(), regions_.ById(RegionId(1)));
  ASSERT_TRUE(op.has_value());
  EXPECT_EQ(op->desc, "replace-down-replica");
}

TEST_F(World, TheCheckerRemovesExtrasAndLeavesJointStates) {
  AddStore(4);
  Put(Region(1, {1, 2, 3, 4}));
  auto op = checker_.Check(View(), regions_.ById(RegionId(1)));
  ASSERT_TRUE(op.has_value());
  EXPECT_EQ(op->desc, "remove-extra-replica");
  auto joint = Region(2, {1, 2, 3});
  joint->meta.mutable_peers(1)->set_role(metapb::IncomingVoter);
  Put(joint);
  op = checker_.Check(View(), regions_.ById(RegionId(2)));
  ASSERT_TRUE(op.has_value());
  EXPECT_EQ(op->desc, "leave-joint-state");
  checker_.Pause("joint-state", now_ms_ + 1);
  EXPECT_FALSE(checker_.Check(View(), regions_.ById(RegionId(2))).has_value());
}

TEST_F(World, TheCheckerRemovesALearnerWhoseStoreIsGone) {
  auto r = Region(1, {1, 2, 3});
  auto* learner = r->meta.add_peers();
  learner->set_id(900);
  learner->set_store_id(99);
  learner->set_role(metapb::Learner);
  r->pending_peers.push_back(*learner);
  const ClusterView view = View();
  auto op = checker_.Check(view, Put(r));
  ASSERT_TRUE(op.has_value());
  EXPECT_EQ(op->desc, "remove-extra-learner");
}

TEST_F(World, ShrinkingKeepsTheVotersThatWork) {
  for (uint64_t id : {4, 5}) AddStore(id);
  Put(Region(1, {1, 2, 3, 4, 5}));
  now_ms_ += 60'000;
  for (uint64_t id : {1, 2, 3}) {
    stores_.FindMutable(StoreId(id))->meta.set_last_heartbeat(now_ms_ * 1'000'000);
    // By score they would go first.
    stores_.FindMutable(StoreId(id))->region_weight = 0.1;
  }
  const ClusterView view = View();
  OperatorBuilder sound(view, regions_.ById(RegionId(1)), "test");
  EXPECT_FALSE(sound.RemovePeerOn(StoreId(3)).Build(kOpRegion, "").ok())
      << "two of four would not be able to agree";
  OperatorBuilder admin(view, regions_.ById(RegionId(1)), "test");
  EXPECT_TRUE(admin.RemovePeerOn(StoreId(3)).Build(kOpAdmin, "").ok());
  for (int i = 0; i < 2; ++i) {
    auto op = checker_.Check(View(), regions_.ById(RegionId(1)));
    ASSERT_TRUE(op.has_value());
    ASSERT_TRUE(controller_.Add(View(), *op).ok());
    Run(1);
  }
  EXPECT_EQ(StoresOf(1), (std::set<uint64_t>{1, 2, 3}));
}

TEST_F(World, ReplicasSpreadOverZones) {
  ASSERT_TRUE(config_.Update({{"location-labels", "zone"}}).ok());
  AddStore(11, "z1");
  AddStore(12, "z1");
  AddStore(13, "z2");
  AddStore(14, "z3");
  Put(Region(1, {11, 12, 13}));
  auto op = checker_.Check(View(), regions_.ById(RegionId(1)));
  ASSERT_TRUE(op.has_value());
  ASSERT_TRUE(controller_.Add(View(), *op).ok());
  Run(1);
  auto after = StoresOf(1);
  EXPECT_EQ(after.size(), 3u);
  EXPECT_TRUE(after.contains(13));
  EXPECT_FALSE(after.contains(11) && after.contains(12));
}

TEST_F(World, AReplicaRatherStaysMissingThanSharesAnIsolatedZone) {
  ASSERT_TRUE(config_.Update({{"location-labels", "zone,host"}}).ok());
  ASSERT_TRUE(config_.Update({{"isolation-level", "zone"}}).ok());
  for (uint64_t id : {1, 2, 3}) stores_.Erase(StoreId(id));
  AddStore(11, "z1");
  AddStore(12, "z1");
  AddStore(13, "z2");
  Put(Region(1, {11, 13}));
  EXPECT_FALSE(checker_.Check(View(), regions_.ById(RegionId(1))).has_value());
  AddStore(14, "z3");
  auto op = checker_.Check(View(), regions_.ById(RegionId(1)));
  ASSERT_TRUE(op.has_value());
  ASSERT_TRUE(controller_.Add(View(), *op).ok());
  Run(1);
  EXPECT_EQ(StoresOf(1), (std::set<uint64_t>{11, 13, 14}));
}

TEST_F(World, LeadersGetBalanced) {
  for (uint64_t id = 1; id <= 12; ++id) Put(Region(id, {1, 2, 3}));
  BalanceLeader scheduler;
  for (int round = 0; round < 30; ++round) {
    for (Operator& op : scheduler.Schedule(View(), controller_)) {
      const uint64_t id = op.region.value;
      if (controller_.Add(View(), std::move(op)).ok()) Run(id);
    }
  }
  for (uint64_t s : {1, 2, 3}) EXPECT_EQ(regions_.OfStore(StoreId(s)).leaders.size(), 4u);
  EXPECT_TRUE(scheduler.Schedule(View(), controller_).empty()) << "and then stay";
}

TEST_F(World, RegionsGetBalanced) {
  ASSERT_TRUE(config_.Update({{"max-replicas", 1}}).ok());
  for (uint64_t id = 1; id <= 30; ++id) Put(Region(id, {1}, 50));
  config_.SetStoreLimit(StoreId(1), "", 1e9);
  for (uint64_t s : {2, 3}) config_.SetStoreLimit(StoreId(s), "", 1e9);
  BalanceRegion scheduler;
  for (int round = 0; round < 100; ++round) {
    now_ms_ += 1000;
    for (Operator& op : scheduler.Schedule(View(), controller_)) {
      const uint64_t id = op.region.value;
      if (controller_.Add(View(), std::move(op)).ok()) Run(id);
    }
    for (uint64_t s : {1, 2, 3})
      stores_.FindMutable(StoreId(s))->meta.set_last_heartbeat(now_ms_ * 1'000'000);
  }
  for (uint64_t s : {1, 2, 3}) {
    EXPECT_NEAR(regions_.OfStore(StoreId(s)).region_count(), 10, 2) << "store " << s;
  }
}

// A region on its way into an even store used to make that store a source: regions went round.
TEST_F(World, AMoveUnderWayDoesNotMakeAnEvenStoreASource) {
  ASSERT_TRUE(config_.Update({{"max-replicas", 1}}).ok());
  for (uint64_t s : {1, 2, 3}) config_.SetStoreLimit(StoreId(s), "", 1e9);
  for (uint64_t id = 1; id <= 30; ++id) Put(Region(id, {1 + id % 3}, 50));
  auto move = MovePeer(View(), regions_.ById(RegionId(1)), StoreId(2), StoreId(1), "by hand", 0);
  ASSERT_TRUE(move.ok());
  ASSERT_TRUE(controller_.Add(View(), *std::move(move)).ok());
  BalanceRegion balance;
  for (int round = 0; round < 20; ++round) {
    for (const Operator& op : balance.Schedule(View(), controller_)) {
      EXPECT_EQ(regions_.ById(op.region)->PeerOn(StoreId(1)), nullptr) << "moved out of store 1";
    }
  }
}

// Stores of one machine share its disk: what each reports differs by what was written in between.
TEST_F(World, RegionsDoNotFollowTheNoiseOfANearlyFullDisk) {
  AddStore(4);
  for (uint64_t id = 1; id <= 12; ++id)
    Put(Region(id, {1 + id % 4, 1 + (id + 1) % 4, 1 + (id + 2) % 4}));
  BalanceRegion balance;
  for (int round = 0; round < 20; ++round) {
    for (uint64_t id : {1, 2, 3, 4}) {
      const uint64_t noise = random_.Uniform(200ULL << 20);
      stores_.FindMutable(StoreId(id))->stats.set_available((19ULL << 30) + noise);
    }
    EXPECT_TRUE(balance.Schedule(View(), controller_).empty()) << "they are even";
  }
}

TEST_F(World, EvictionEmptiesAStoreAndKeepsItEmpty) {
  for (uint64_t id = 1; id <= 6; ++id) Put(Region(id, {1, 2, 3}));
  EvictLeader evict;
  evict.AddStore(StoreId(1));
  stores_.FindMutable(StoreId(1))->pause_leader_in = true;
  for (int round = 0; round < 10; ++round) {
    for (Operator& op : evict.Schedule(View(), controller_)) {
      const uint64_t id = op.region.value;
      ASSERT_TRUE(controller_.Add(View(), std::move(op)).ok());
      Run(id);
    }
  }
  EXPECT_EQ(regions_.OfStore(StoreId(1)).leaders.size(), 0u);
  BalanceLeader balance;
  for (Operator& op : balance.Schedule(View(), controller_)) {
    for (const Step& s : op.steps) {
      EXPECT_NE(std::get<TransferLeader>(s).to, StoreId(1));
    }
  }
  EvictLeader restored;
  restored.Load(evict.ConfigJson());
  EXPECT_EQ(restored.Stores(), evict.Stores());
  EXPECT_TRUE(restored.RemoveStore(StoreId(1)));
  EXPECT_FALSE(restored.RemoveStore(StoreId(1)));
}

TEST_F(World, GrantingGathersLeaders) {
  for (uint64_t id = 1; id <= 3; ++id) Put(Region(id, {1, 2, 3}));
  GrantLeader grant;
  grant.AddStore(StoreId(3));
  for (int round = 0; round < 5; ++round) {
    for (Operator& op : grant.Schedule(View(), controller_)) {
      const uint64_t id = op.region.value;
      ASSERT_TRUE(controller_.Add(View(), std::move(op)).ok());
      Run(id);
    }
  }
  EXPECT_EQ(regions_.OfStore(StoreId(3)).leaders.size(), 3u);
}

TEST_F(World, NoLeadersAreGrantedToASilentStore) {
  Put(Region(1, {1, 2, 3}));
  GrantLeader grant;
  grant.AddStore(StoreId(3));
  EXPECT_EQ(grant.Schedule(View(), controller_).size(), 1u);
  now_ms_ += 60'000;
  for (uint64_t id : {1, 2}) {
    stores_.FindMutable(StoreId(id))->meta.set_last_heartbeat(now_ms_ * 1'000'000);
  }
  EXPECT_EQ(grant.Schedule(View(), controller_).size(), 0u);
}

TEST_F(World, OperatorsEndWhenTheRegionChangesOrTimeRunsOut) {
  RegionPtr r = Put(Region(1, {1, 2, 3}));
  auto op = MoveLeader(View(), r, StoreId(2), "test", 0);
  ASSERT_TRUE(controller_.Add(View(), *op).ok());
  auto split = std::make_shared<RegionInfo>(*r);
  split->meta.mutable_region_epoch()->set_version(2);
  pdpb::RegionHeartbeatResponse order;
  EXPECT_FALSE(controller_.OnHeartbeat(View(), *split, &order));
  EXPECT_EQ(controller_.Latest(RegionId(1))->status, OperatorStatus::kCanceled);

  ASSERT_TRUE(controller_.Add(View(), *op).ok());
  EXPECT_TRUE(controller_.OnHeartbeat(View(), *r, &order));
  now_ms_ += 61'000;
  EXPECT_FALSE(controller_.OnHeartbeat(View(), *r, &order));
  EXPECT_EQ(controller_.Latest(RegionId(1))->status, OperatorStatus::kTimeout);
}

TEST_F(World, PriorityAndLimitsDecideWhoGetsIn) {
  AddStore(4);
  RegionPtr r = Put(Region(1, {1, 2, 3}, 100));
  auto low = MoveLeader(View(), r, StoreId(2), "low", 0);
  auto high = MoveLeader(View(), r, StoreId(3), "high", 0);
  high->priority = OperatorPriority::kUrgent;
  ASSERT_TRUE(controller_.Add(View(), *low).ok());
  EXPECT_FALSE(controller_.Add(View(), *low).ok());
  ASSERT_TRUE(controller_.Add(View(), *high).ok());
  EXPECT_EQ(controller_.Running(RegionId(1))->desc, "high");
  ASSERT_TRUE(controller_.Cancel(RegionId(1), now_ms_, "").ok());
  EXPECT_FALSE(controller_.Cancel(RegionId(1), now_ms_, "").ok());

  RegionPtr big = Put(Region(2, {1, 2, 3}, 100));
  auto move = MovePeer(View(), r, StoreId(1), StoreId(4), "move", 0);
  auto move2 = MovePeer(View(), big, StoreId(1), StoreId(4), "move", 0);
  ASSERT_TRUE(controller_.Add(View(), *move).ok());
  EXPECT_FALSE(controller_.Add(View(), *move2).ok()) << "15 per minute is one in four seconds";
  now_ms_ += 4'001;
  EXPECT_TRUE(controller_.Add(View(), *move2).ok());
}

TEST_F(World, FiltersKnowWhomToSpare) {
  StoreInfo* s = stores_.FindMutable(StoreId(1));
  EXPECT_EQ(RegionTargetObstacle(View(), *s), nullptr);
  s->stats.set_available(1 << 20);
  EXPECT_STREQ(RegionTargetObstacle(View(), *s), "low-space");
  s->stats.set_is_busy(true);
  EXPECT_STREQ(RegionTargetObstacle(View(), *s), "busy");
  EXPECT_STREQ(LeaderTargetObstacle(View(), *s), "busy");
  s->stats.set_is_busy(false);
  s->stats.set_is_stopping(true);
  EXPECT_STREQ(LeaderTargetObstacle(View(), *s), "stopping");
  now_ms_ += kDisconnectedMs + 1;
  EXPECT_STREQ(LeaderSourceObstacle(View(), *s), "disconnected");
  ASSERT_TRUE(stores_.Remove(StoreId(1), true, 0).ok());
  EXPECT_STREQ(LeaderTargetObstacle(View(), *s), "removing");
}

TEST(Operator, SaysWhatItIs) {
  Operator op;
  op.desc = "admin-add-peer";
  op.brief = "add peer: store [4]";
  op.region = RegionId(7);
  op.kind = kOpAdmin | kOpRegion;
  op.steps.push_back(AddLearner{{StoreId(4), PeerId(9)}});
  EXPECT_EQ(op.Text().find("admin-add-peer {add peer: store [4]} (kind:region,admin, region:7("),
            0u);
  EXPECT_TRUE(op.Text().ends_with("on store 4}], timeout:[10m0s])")) << op.Text();
  op.current = 1;
  EXPECT_TRUE(op.Text().ends_with("timeout:[10m0s]) finished")) << op.Text();
  EXPECT_EQ(KindByName("admin"), kOpAdmin);
  EXPECT_EQ(KindByName("x"), 0u);
}

}  // namespace
}  // namespace tikv::pd
