// Replicas that come and go: conf changes, snapshots, splits, tombstones.
#include <gtest/gtest.h>

#include "server/codec/keys.h"
#include "server/raftstore/testing/cluster.h"

namespace tikv::server {
namespace {

using eraftpb::ConfChangeType;

// Puts enough that the log before it is cut, so that newcomers need a snapshot.
void FillAndCutLog(TestCluster& c) {
  c.config.log_gc_threshold = 10;
  for (int i = 0; i < 30; ++i) ASSERT_EQ(c.Put(fmt::format("fill{:03}", i), "v"), "");
  c.Tick(70);
}

TEST(Membership, ANewcomerCatchesUpAndVotes) {
  TestCluster c(3, 1);
  EXPECT_EQ(c.Put("k", "v"), "");
  for (uint64_t s = 2; s <= 3; ++s) {
    EXPECT_EQ(c.Change(ConfChangeType::AddLearnerNode, s), "");
    ASSERT_TRUE(c.Until([&] { return c.Stored(s, "k") == "v"; }));
    EXPECT_EQ(c.Change(ConfChangeType::AddNode, s), "");
  }
  c.at(1).Stop();
  EXPECT_EQ(c.Put("k", "2"), "");
}

TEST(Membership, ANewcomerGetsASnapshot) {
  TestCluster c(2, 1);
  FillAndCutLog(c);
  EXPECT_EQ(c.Change(ConfChangeType::AddLearnerNode, 2), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(2, "fill029") == "v"; }));
  EXPECT_EQ(c.Put("k", "v"), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(2, "k") == "v"; }));
  c.at(2).Stop();
  c.at(2).Start();
  EXPECT_EQ(c.Put("k", "2"), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(2, "k") == "2"; }));
}

TEST(Membership, ALaggingReplicaIsReplacedBySnapshotWithoutItsOldData) {
  TestCluster c(3, 3);
  const uint64_t slow = c.Leader() % 3 + 1;
  EXPECT_EQ(c.Put("old", "1"), "");
  c.Tick(3);
  c.Isolate(slow);
  c.config.log_gc_count_limit = 15;
  WriteCommand command;
  command.Delete(engine::Cf::kDefault, "old");
  const uint64_t leader = c.Leader();
  c.at(leader).store().Write(c.Header(leader), std::move(command), [](WriteResult) {});
  c.Settle();
  FillAndCutLog(c);
  EXPECT_EQ(c.Stored(slow, "old"), "1");
  c.Heal();
  ASSERT_TRUE(c.Until([&] { return c.Stored(slow, "fill029") == "v"; }));
  EXPECT_EQ(c.Stored(slow, "old"), "-");
}

TEST(Membership, ACrashWhileASnapshotIsInstalledStartsOver) {
  TestCluster c(2, 1);
  FillAndCutLog(c);
  c.at(2).hold_background = true;
  EXPECT_EQ(c.Change(ConfChangeType::AddLearnerNode, 2), "");
  ASSERT_TRUE(c.Until([&] {
    Peer* peer = c.at(2).store().FindPeer(RegionId(1));
    return peer != nullptr && peer->installing();
  }));
  c.at(2).Stop();
  c.at(2).hold_background = false;
  c.at(2).Start();
  EXPECT_EQ(c.at(2).store().region_count(), 0u);
  ASSERT_TRUE(c.Until([&] { return c.Stored(2, "fill029") == "v"; }));
  EXPECT_EQ(c.Put("k", "v"), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(2, "k") == "v"; }));
}

TEST(Membership, ACrashWhileAnOldReplicaTakesASnapshotStartsOverUnderTheSameLeader) {
  TestCluster c(3, 3);
  EXPECT_EQ(c.Put("old", "1"), "");
  c.Tick(3);
  const uint64_t slow = c.Leader() % 3 + 1;
  c.Isolate(slow);
  c.config.log_gc_count_limit = 15;
  FillAndCutLog(c);
  c.at(slow).hold_background = true;
  c.Heal();
  ASSERT_TRUE(c.Until([&] { return c.at(slow).store().FindPeer(RegionId(1))->installing(); }));
  c.at(slow).Stop();
  c.at(slow).hold_background = false;
  c.at(slow).Start();
  ASSERT_TRUE(c.Until([&] { return c.Stored(slow, "fill029") == "v"; }));
  EXPECT_EQ(c.Put("k", "v"), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(slow, "k") == "v"; }));
}

// The raft thread of a store that waits for its disk finds both in its inbox.
TEST(Membership, EntriesThatComeWithASnapshotAreKept) {
  TestCluster c(2, 1);
  FillAndCutLog(c);
  c.drop = [&](const raft_serverpb::RaftMessage& message) {
    if (message.message().msg_type() == eraftpb::MessageType::MsgSnapshot) {
      c.at(2).hold_rounds = true;
    }
    return false;
  };
  EXPECT_EQ(c.Change(ConfChangeType::AddLearnerNode, 2), "");
  ASSERT_TRUE(c.Until([&] { return c.at(2).hold_rounds; }));
  EXPECT_EQ(c.Put("k", "v"), "");
  // An answer that was on its way when the snapshot arrived lets the leader go on.
  Peer* leader = c.at(1).store().FindPeer(RegionId(1));
  raft_serverpb::RaftMessage answer;
  answer.set_region_id(1);
  *answer.mutable_to_peer() = leader->Self();
  *answer.mutable_from_peer() = *FindPeerOnStore(leader->region(), 2);
  answer.mutable_message()->set_msg_type(eraftpb::MessageType::MsgHeartbeatResponse);
  answer.mutable_message()->set_from(answer.from_peer().id());
  answer.mutable_message()->set_to(leader->id().value);
  answer.mutable_message()->set_term(leader->node().term());
  c.at(1).store().OnMessage(answer, nullptr, c.now);
  c.Settle();
  c.Heal();
  c.at(2).hold_rounds = false;
  ASSERT_TRUE(c.Until([&] { return c.Stored(2, "k") == "v"; }));
  EXPECT_EQ(c.at(2).log().LastIndex(1), c.at(1).log().LastIndex(1));
  c.at(2).Stop();
  c.at(2).Start();
  EXPECT_EQ(c.Put("k", "2"), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(2, "k") == "2"; }));
}

TEST(Membership, AMemberThatMissedARemovalIsNotSentAwayByTheRemoved) {
  TestCluster c(3, 3);
  EXPECT_EQ(c.Put("k", "v"), "");
  c.Tick(3);
  const uint64_t leader = c.Leader();
  const uint64_t gone = leader % 3 + 1;
  const uint64_t slow = gone % 3 + 1;
  c.Isolate(slow);
  EXPECT_EQ(c.Change(ConfChangeType::RemoveNode, gone), "");
  ASSERT_TRUE(c.Until([&] { return c.at(gone).store().region_count() == 0; }));
  c.Isolate(leader);  // The slow one asks the removed one, which it knows as a member, for a vote.
  c.Tick(50);
  EXPECT_EQ(c.at(slow).store().region_count(), 1u);
  c.Heal();
  EXPECT_EQ(c.Put("k", "2"), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(slow, "k") == "2"; }));
}

TEST(Membership, ARemovedReplicaLeavesNothing) {
  TestCluster c(3, 3);
  EXPECT_EQ(c.Put("k", "v"), "");
  const uint64_t gone = c.Leader() % 3 + 1;
  EXPECT_EQ(c.Change(ConfChangeType::RemoveNode, gone), "");
  ASSERT_TRUE(c.Until([&] { return c.at(gone).store().region_count() == 0; }));
  EXPECT_EQ(c.Stored(gone, "k"), "-");
  c.at(gone).Stop();
  c.at(gone).Start();
  EXPECT_EQ(c.at(gone).store().region_count(), 0u);
  // Back as another replica.
  EXPECT_EQ(c.Change(ConfChangeType::AddNode, gone), "");
  ASSERT_TRUE(c.Until([&] { return c.Stored(gone, "k") == "v"; }));
}

TEST(Membership, AReplicaRemovedWhileAwayIsToldAndGoes) {
  TestCluster c(3, 3);
  EXPECT_EQ(c.Put("k", "v"), "");
  c.Tick(3);
  const uint64_t gone = c.Leader() % 3 + 1;
  c.Isolate(gone);
  EXPECT_EQ(c.Change(ConfChangeType::RemoveNode, gone), "");
  EXPECT_EQ(c.at(gone).store().region_count(), 1u);
  c.Heal();
  ASSERT_TRUE(c.Until([&] { return c.at(gone).store().region_count() == 0; }));
  EXPECT_EQ(c.Stored(gone, "k"), "-");
}

TEST(Split, ChildrenServeAtOnceAndOldHeadersMiss) {
  TestCluster c(3, 3);
  EXPECT_EQ(c.Put("a", "1"), "");
  EXPECT_EQ(c.Put("x", "2"), "");
  const uint64_t leader = c.Leader();
  const RequestHeader old = c.Header(leader);
  const auto regions = c.Split({"m", "f"});
  ASSERT_EQ(regions.size(), 3u);
  EXPECT_EQ(regions[2].id(), 1u);
  EXPECT_EQ(c.at(leader).delegates().Find(old, c.now), nullptr);
  EXPECT_NE(c.PutAt(leader, old, "x", "3").find("epoch not match"), std::string::npos);
  for (const auto& region : regions) EXPECT_EQ(c.Leader(region.id()), leader);
  EXPECT_EQ(c.Put("a", "4", regions[0].id()), "");
  EXPECT_NE(c.Put("z", "5", regions[0].id()).find("is not in region"), std::string::npos);
  const auto around =
      c.at(leader).store().Around(c.at(leader).store().FindPeer(RegionId(1))->region(), 1);
  EXPECT_EQ(around.size(), 3u);
  c.Tick(3);
  for (uint64_t s = 1; s <= 3; ++s) EXPECT_EQ(c.Stored(s, "a"), "4");
  for (uint64_t s = 1; s <= 3; ++s) c.at(s).Stop();
  for (uint64_t s = 1; s <= 3; ++s) c.at(s).Start();
  EXPECT_EQ(c.Put("a", "6", regions[0].id()), "");
  EXPECT_EQ(c.Put("x", "7"), "");
}

TEST(Split, ASlowFollowerSplitsLaterAndJoinsTheChild) {
  TestCluster c(3, 3);
  c.Tick(5);
  const uint64_t slow = c.Leader() % 3 + 1;
  c.Isolate(slow);
  const auto regions = c.Split({"m"});
  ASSERT_EQ(regions.size(), 2u);
  EXPECT_EQ(c.Put("a", "1", regions[0].id()), "");
  EXPECT_EQ(c.at(slow).store().region_count(), 1u);
  c.Heal();
  ASSERT_TRUE(c.Until([&] { return c.Stored(slow, "a") == "1"; }));
  EXPECT_EQ(c.at(slow).store().region_count(), 2u);
}

TEST(Split, AFollowerThatMissedTheSplitGetsSnapshotsOfBoth) {
  TestCluster c(3, 3);
  EXPECT_EQ(c.Put("b", "1"), "");
  c.Tick(5);
  const uint64_t slow = c.Leader() % 3 + 1;
  c.Isolate(slow);
  c.config.log_gc_count_limit = 15;
  const auto regions = c.Split({"c"});
  ASSERT_EQ(regions.size(), 2u);
  FillAndCutLog(c);
  EXPECT_EQ(c.Put("a", "1", regions[0].id()), "");
  c.Heal();
  ASSERT_TRUE(c.Until([&] { return c.Stored(slow, "fill029") == "v"; }));
  ASSERT_TRUE(c.Until([&] { return c.Stored(slow, "a") == "1"; }));
  EXPECT_EQ(c.Stored(slow, "b"), "1");
  EXPECT_EQ(c.at(slow).store().region_count(), 2u);
}

TEST(Split, BySizeOnceTheRegionHasGrown) {
  TestCluster c(1, 1);
  c.config.region_split_bytes = 20'000;
  c.config.region_max_bytes = 30'000;
  for (int i = 0; i < 60; ++i) {
    ASSERT_EQ(c.Put(fmt::format("k{:03}", i), std::string(1000, 'v'),
                    c.at(1).store().Regions().front().value),
              "");
  }
  ASSERT_TRUE(c.Until([&] { return c.at(1).store().region_count() > 1; }));
}

TEST(Heartbeat, SaysWhoLeadsAndWhoIsBehind) {
  TestCluster c(2, 1);
  FillAndCutLog(c);
  c.at(2).hold_background = true;
  EXPECT_EQ(c.Change(ConfChangeType::AddLearnerNode, 2), "");
  const auto& heartbeat = c.at(1).heartbeats[1];
  EXPECT_EQ(heartbeat.leader().store_id(), 1u);
  EXPECT_EQ(heartbeat.region().peers_size(), 2);
  ASSERT_EQ(heartbeat.pending_peers_size(), 1);
  EXPECT_EQ(heartbeat.pending_peers(0).store_id(), 2u);
  c.at(2).hold_background = false;
  EXPECT_TRUE(c.Until([&] { return c.at(1).heartbeats[1].pending_peers_size() == 0; }));
}

TEST(Snapshots, OneWhosePlaceIsTakenIsNotWanted) {
  TestCluster c(1, 1);
  c.Leader();
  raft_serverpb::RaftMessage message;
  raft_serverpb::RaftSnapshotData data;
  data.mutable_region()->set_id(77);
  data.mutable_region()->set_start_key("a");
  data.mutable_region()->set_end_key("b");
  message.set_region_id(77);
  message.mutable_to_peer()->set_id(770);
  message.mutable_message()->mutable_snapshot()->set_data(data.SerializeAsString());
  EXPECT_FALSE(c.at(1).store().MayTakeSnapshot(message));
  data.mutable_region()->set_id(1);
  message.mutable_message()->mutable_snapshot()->set_data(data.SerializeAsString());
  EXPECT_TRUE(c.at(1).store().MayTakeSnapshot(message));
}

}  // namespace
}  // namespace tikv::server
