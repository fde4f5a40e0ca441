// What a start finds after crashes.
#include <gtest/gtest.h>

#include "server/codec/keys.h"
#include "server/raftstore/store/initial_state.h"
#include "server/raftstore/testing/cluster.h"

namespace tikv::server {
namespace {

TEST(Recovery, DataOfNoRegionIsRemoved) {
  TestCluster c(2, 1);
  ASSERT_EQ(c.Put("mine", "v"), "");
  c.at(2).Stop();
  engine::WriteBatch batch;
  batch.Put(engine::Cf::kDefault, DataKey("stray"), "v");
  ASSERT_TRUE(c.at(2).engine().Write(&batch).ok());
  c.at(2).Start();
  EXPECT_EQ(c.Stored(2, "stray"), "-");
  c.at(1).Stop();
  c.at(1).Start();
  EXPECT_EQ(c.Stored(1, "mine"), "v");
}

TEST(Recovery, ATombstoneFinishesTheLog) {
  TestCluster c(3, 3);
  ASSERT_EQ(c.Put("k", "v"), "");
  const uint64_t gone = c.Leader() % 3 + 1;
  const metapb::Region region = c.at(gone).store().FindPeer(RegionId(1))->region();
  c.at(gone).Stop();
  engine::WriteBatch batch;
  Applier::SaveRegion(region, raft_serverpb::PeerState::Tombstone, &batch);
  ASSERT_TRUE(c.at(gone).engine().Write(&batch).ok());
  c.at(gone).Start();
  EXPECT_EQ(c.at(gone).store().region_count(), 0u);
  EXPECT_FALSE(c.at(gone).log().Contains(1));
  // And it does not come back: its leader's messages are for the dead.
  c.Tick(20);
  EXPECT_EQ(c.at(gone).store().region_count(), 0u);
}

TEST(Recovery, TheEngineMayBeBehindTheLog) {
  TestCluster c(1, 1);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(c.Put("k" + std::to_string(i), "v"), "");
  c.at(1).Stop();
  // As if the last batches had never reached the disk.
  engine::WriteBatch batch;
  auto state = *ReadApplyState(c.at(1).engine(), RegionId(1));
  state.applied -= 2;
  Applier::SaveApplyState(1, state, &batch);
  batch.Delete(engine::Cf::kDefault, DataKey("k3"));
  batch.Delete(engine::Cf::kDefault, DataKey("k4"));
  ASSERT_TRUE(c.at(1).engine().Write(&batch).ok());
  c.at(1).Start();
  c.Settle();
  EXPECT_EQ(c.Stored(1, "k3"), "v");
  EXPECT_EQ(c.Stored(1, "k4"), "v");
}

TEST(Recovery, AChildWhoseSplitTheEngineLostWaitsForItsParent) {
  TestCluster c(3, 3);
  ASSERT_EQ(c.Put("a", "1"), "");
  const uint64_t store = c.Leader() % 3 + 1;
  const metapb::Region before = c.at(store).store().FindPeer(RegionId(1))->region();
  const uint64_t child = c.Split({"m"})[0].id();
  ASSERT_EQ(c.Put("a", "2", child), "");
  c.Tick(5);
  c.at(store).Stop();
  engine::WriteBatch batch;
  Applier::SaveRegion(before, raft_serverpb::PeerState::Normal, &batch);
  Applier::SaveApplyState(1, kInitialApplyState, &batch);
  batch.Delete(engine::Cf::kRaft, RegionStateKey(RegionId(child)));
  batch.Delete(engine::Cf::kRaft, ApplyStateKey(RegionId(child)));
  ASSERT_TRUE(c.at(store).engine().Write(&batch).ok());
  c.at(store).hold_rounds = true;  // The child's leader is heard before the parent is applied.
  c.at(store).Start();
  c.Tick(3);
  EXPECT_EQ(c.at(store).store().region_count(), 1u);
  c.at(store).hold_rounds = false;
  ASSERT_TRUE(c.Until([&] { return c.at(store).store().region_count() == 2; }));
  ASSERT_EQ(c.Put("a", "3", child), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(store, "a") == "3"; }));
}

TEST(Recovery, ALostLogIsRefused) {
  TestCluster c(1, 1);
  ASSERT_EQ(c.Put("k", "v"), "");
  raftlog::LogBatch batch;
  batch.RemoveGroup(1);
  ASSERT_TRUE(c.at(1).log().Append(&batch, true).ok());
  PeerContext context;
  ReadDelegates delegates(StoreId(1));
  Random random(1);
  context.config = &c.config;
  context.store = StoreId(1);
  context.engine = &c.at(1).engine();
  context.log = &c.at(1).log();
  context.random = &random;
  context.delegates = &delegates;
  Store store(context, &c.at(1));
  EXPECT_EQ(store.Recover(c.now).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace tikv::server
