// Replication, leadership, reads and restarts of one region on three stores.
#include <gtest/gtest.h>

#include "proto/errorpb.pb.h"
#include "server/raftstore/testing/cluster.h"

namespace tikv::server {
namespace {

struct ReadOutcome {
  bool done = false;
  ReadResult result;
};

std::shared_ptr<ReadOutcome> Read(TestCluster& c, uint64_t store, RequestHeader header) {
  auto outcome = std::make_shared<ReadOutcome>();
  c.at(store).store().Read(header, c.now, [outcome](ReadResult result) {
    outcome->done = true;
    outcome->result = std::move(result);
  });
  c.Settle();
  return outcome;
}

std::string ValueIn(const RegionView& view, const std::string& key) {
  engine::PinnedValue value;
  return *view.Get(engine::Cf::kDefault, key, &value) ? std::string(value.view()) : "-";
}

TEST(Replication, AWriteReachesAllReplicas) {
  TestCluster c(3, 3);
  EXPECT_EQ(c.Put("k", "v"), "");
  c.Tick(3);
  for (uint64_t s = 1; s <= 3; ++s) EXPECT_EQ(c.Stored(s, "k"), "v");
}

TEST(Replication, ASingleReplicaServesAtOnce) {
  TestCluster c(1, 1);
  c.Settle();
  EXPECT_EQ(c.Put("k", "v"), "");
  EXPECT_EQ(c.Stored(1, "k"), "v");
}

TEST(Replication, WritesOfARoundShareAnEntry) {
  TestCluster c(1, 1);
  const uint64_t leader = c.Leader();
  const uint64_t before = c.at(1).log().LastIndex(1);
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    WriteCommand command;
    command.Put(engine::Cf::kDefault, "k" + std::to_string(i), "v");
    c.at(1).store().Write(c.Header(leader), std::move(command), [&](WriteResult r) {
      EXPECT_FALSE(r.error);
      ++answers;
    });
  }
  c.Settle();
  EXPECT_EQ(answers, 100);
  EXPECT_EQ(c.at(1).log().LastIndex(1), before + 1);
}

TEST(Replication, ADeadLeaderIsReplacedWithinThreeSeconds) {
  TestCluster c(3, 3);
  const uint64_t old = c.Leader();
  EXPECT_EQ(c.Put("k", "1"), "");
  c.at(old).Stop();
  const MonotonicTime killed = c.now;
  const uint64_t next = c.Leader();
  EXPECT_NE(next, old);
  EXPECT_LE(c.now - killed, std::chrono::seconds(3));
  EXPECT_EQ(c.Put("k", "2"), "");
  c.at(old).Start();
  c.Tick(10);
  EXPECT_EQ(c.Stored(old, "k"), "2");
}

TEST(Replication, EverythingRestarts) {
  TestCluster c(3, 3);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(c.Put("k" + std::to_string(i), "v"), "");
  for (uint64_t s = 1; s <= 3; ++s) c.at(s).Stop();
  for (uint64_t s = 1; s <= 3; ++s) c.at(s).Start();
  EXPECT_EQ(c.Put("after", "v"), "");
  c.Tick(5);
  for (uint64_t s = 1; s <= 3; ++s) {
    EXPECT_EQ(c.Stored(s, "k19"), "v");
    EXPECT_EQ(c.Stored(s, "after"), "v");
  }
}

TEST(Replication, AnIsolatedLeaderCannotAnswerAndLosesItsProposals) {
  TestCluster c(3, 3);
  const uint64_t old = c.Leader();
  c.Isolate(old);
  WriteCommand command;
  command.Put(engine::Cf::kDefault, "k", "lost");
  std::string answer = "none";
  c.at(old).store().Write(c.Header(old), std::move(command), [&](WriteResult r) {
    answer = r.error ? std::string(r.error.message()) : "ok";
  });
  c.Tick(2);
  EXPECT_EQ(answer, "none");
  ASSERT_TRUE(c.Until([&] { return !c.at(old).store().FindPeer(RegionId(1))->IsLeader(); }));
  EXPECT_EQ(answer, "stale command");
  c.Heal();
  EXPECT_EQ(c.Put("k", "new"), "");
  c.Tick(5);
  EXPECT_EQ(c.Stored(old, "k"), "new");
}

TEST(Reads, TheLeaderServesLocallyUnderItsLease) {
  TestCluster c(3, 3);
  const uint64_t leader = c.Leader();
  EXPECT_EQ(c.Put("k", "v"), "");
  c.Tick(3);
  const RequestHeader header = c.Header(leader);
  EXPECT_NE(c.at(leader).delegates().Find(header, c.now), nullptr);
  EXPECT_NE(c.at(leader).delegates().Find(header, c.now + std::chrono::milliseconds(600)), nullptr);
  EXPECT_EQ(c.at(leader).delegates().Find(header, c.now + std::chrono::milliseconds(900)), nullptr);
  const auto read = Read(c, leader, header);
  ASSERT_TRUE(read->done);
  EXPECT_EQ(ValueIn(read->result.view, "k"), "v");
}

TEST(Reads, AnIsolatedLeadersLeaseEndsBeforeAnotherLeads) {
  TestCluster c(3, 3);
  const uint64_t old = c.Leader();
  c.Tick(5);
  const RequestHeader header = c.Header(old);
  ASSERT_NE(c.at(old).delegates().Find(header, c.now), nullptr);
  c.Isolate(old);
  for (int i = 0; i < 40; ++i) {
    c.Tick();
    bool another = false;
    for (uint64_t s = 1; s <= 3; ++s) {
      another |= s != old && c.at(s).store().FindPeer(RegionId(1))->IsLeader();
    }
    const bool lease = c.at(old).delegates().Find(header, c.now) != nullptr;
    EXPECT_FALSE(another && lease) << "at tick " << i;
  }
}

TEST(Reads, AFollowerReadsByIndex) {
  TestCluster c(3, 3);
  const uint64_t leader = c.Leader();
  const uint64_t follower = leader % 3 + 1;
  EXPECT_EQ(c.Put("k", "v"), "");
  RequestHeader header = c.Header(follower);
  auto read = Read(c, follower, header);
  ASSERT_TRUE(read->done);
  ASSERT_TRUE(read->result.error.proto().has_not_leader());
  EXPECT_EQ(read->result.error.proto().not_leader().leader().store_id(), leader);
  header.replica_read = true;
  read = Read(c, follower, header);
  c.Tick(2);
  ASSERT_TRUE(read->done);
  ASSERT_FALSE(read->result.error) << read->result.error.message();
  EXPECT_EQ(ValueIn(read->result.view, "k"), "v");
  // A lost request is asked again.
  c.drop = [](const auto& m) {
    return m.message().msg_type() == eraftpb::MessageType::MsgReadIndex;
  };
  read = Read(c, follower, header);
  c.Tick(2);
  EXPECT_FALSE(read->done);
  c.Heal();
  c.Tick(8);
  EXPECT_TRUE(read->done);
}

TEST(Leadership, TransferMovesIt) {
  TestCluster c(3, 3);
  const uint64_t old = c.Leader();
  const uint64_t next = old % 3 + 1;
  c.Tick(5);
  const RequestHeader header = c.Header(old);
  ASSERT_NE(c.at(old).delegates().Find(header, c.now), nullptr);
  pdpb::RegionHeartbeatResponse order;
  order.set_region_id(1);
  order.mutable_transfer_leader()->mutable_peer()->set_id(100 + next);
  c.at(old).store().OnPdOrder(order);
  EXPECT_EQ(c.at(old).delegates().Find(header, c.now), nullptr);
  c.Settle();
  EXPECT_EQ(c.Leader(), next);
  EXPECT_NE(c.PutAt(old, header, "k", "v").find("not leader"), std::string::npos);
}

TEST(Leadership, NotToAStoreThatIsDown) {
  TestCluster c(3, 3);
  const uint64_t leader = c.Leader();
  const uint64_t down = leader % 3 + 1;
  c.Tick(5);
  c.at(down).Stop();
  c.Tick(12);
  pdpb::RegionHeartbeatResponse order;
  order.set_region_id(1);
  order.mutable_transfer_leader()->mutable_peer()->set_id(100 + down);
  c.at(leader).store().OnPdOrder(order);
  EXPECT_EQ(c.PutAt(leader, c.Header(leader), "k", "v"), "");
}

TEST(Leadership, AStoreThatLeavesHandsItsLeadersOver) {
  TestCluster c(3, 3);
  const uint64_t old = c.Leader();
  c.Tick(5);
  EXPECT_EQ(c.at(old).store().TransferLeadersAway(), 1u);
  c.Settle();
  EXPECT_EQ(c.at(old).store().leader_count(), 0u);
  const uint64_t leader = c.Leader();
  EXPECT_NE(leader, old);
  // Nor does it get one back from a placement driver that has not heard, until it is here again.
  pdpb::RegionHeartbeatResponse order;
  order.set_region_id(1);
  order.mutable_transfer_leader()->mutable_peer()->set_id(100 + old);
  order.mutable_transfer_leader()->mutable_peer()->set_store_id(old);
  c.Tick(5);
  c.at(leader).store().OnPdOrder(order);
  c.Settle();
  EXPECT_EQ(c.Leader(), leader);
  c.at(old).Stop();
  c.at(old).Start();
  c.Tick(10);
  c.at(leader).store().OnPdOrder(order);
  EXPECT_TRUE(c.Until([&] { return c.Leader() == old; }));
}

TEST(Requests, EveryMismatchHasItsError) {
  TestCluster c(3, 3);
  const uint64_t leader = c.Leader();
  const RequestHeader good = c.Header(leader);
  RequestHeader bad = good;
  bad.region = RegionId(999);
  EXPECT_EQ(c.PutAt(leader, bad, "k", "v"), "region 999 not found");
  bad = good;
  bad.version = 0;
  EXPECT_NE(c.PutAt(leader, bad, "k", "v").find("epoch not match"), std::string::npos);
  bad = good;
  bad.term = 1;
  EXPECT_EQ(c.PutAt(leader, bad, "k", "v"), "stale command");
  WriteCommand large;
  large.Put(engine::Cf::kDefault, "k", std::string(9 << 20, 'x'));
  bool refused = false;
  c.at(leader).store().Write(good, std::move(large), [&](WriteResult r) {
    refused = r.error && r.error.proto().has_raft_entry_too_large();
  });
  EXPECT_TRUE(refused);
  WriteCommand stale;
  stale.Put(engine::Cf::kDefault, "k", "v");
  stale.expected_term = 1;
  c.at(leader).store().Write(good, std::move(stale), [&](WriteResult r) {
    EXPECT_TRUE(r.error && r.error.proto().has_stale_command());
  });
}

TEST(Requests, ASplitAtHugeKeysIsRefused) {
  TestCluster c(3, 3);
  const uint64_t leader = c.Leader();
  std::vector<std::string> keys;
  for (char k = 'a'; k < 'a' + 10; ++k) keys.push_back(std::string(1 << 20, k));
  bool refused = false;
  c.at(leader).store().SplitRegion(c.Header(leader), std::move(keys), [&](SplitResult result) {
    refused = result.error && result.error.proto().has_raft_entry_too_large();
  });
  c.Settle();
  EXPECT_TRUE(refused);
  EXPECT_EQ(c.Put("k", "v"), "");
}

TEST(LogGc, TheLogIsCutOnAllReplicasAndARestartSurvives) {
  TestCluster c(3, 3);
  c.config.log_gc_threshold = 10;
  for (int i = 0; i < 30; ++i) ASSERT_EQ(c.Put("k" + std::to_string(i), "v"), "");
  c.Tick(70);
  for (uint64_t s = 1; s <= 3; ++s) EXPECT_GT(c.at(s).log().FirstIndex(1), 20u) << s;
  for (uint64_t s = 1; s <= 3; ++s) c.at(s).Stop();
  for (uint64_t s = 1; s <= 3; ++s) c.at(s).Start();
  EXPECT_EQ(c.Put("after", "v"), "");
}

TEST(LogGc, AReplicaThatIsAwayHoldsNoMoreThanTheLimit) {
  TestCluster c(3, 3);
  c.config.log_gc_threshold = 10;
  c.config.log_gc_size_limit = 100'000;
  const uint64_t leader = c.Leader();
  const uint64_t away = leader % 3 + 1;
  c.at(away).Stop();
  for (int i = 0; i < 30; ++i) ASSERT_EQ(c.Put("a" + std::to_string(i), "v"), "");
  c.Tick(70);
  EXPECT_LT(c.at(leader).log().FirstIndex(1), 15u);
  for (int i = 0; i < 60; ++i) {
    ASSERT_EQ(c.Put("k" + std::to_string(i), std::string(10'000, 'v')), "");
    c.Tick(10);
  }
  c.Tick(70);
  const uint64_t kept = c.at(leader).log().LastIndex(1) - c.at(leader).log().FirstIndex(1);
  EXPECT_LT(kept, 40u);
  c.at(away).Start();
  ASSERT_TRUE(c.Until([&] { return c.Stored(away, "k59") != "-"; }));
}

// All three, as their disk watchers would.
void SetDisks(TestCluster& c, DiskUsage usage) {
  for (uint64_t s = 1; s <= 3; ++s) c.at(s).store().SetDiskUsage(usage);
  c.Tick(5);  // Heartbeats and their answers carry it.
}

std::string Remove(TestCluster& c, const std::string& key) {
  const uint64_t leader = c.Leader();
  WriteCommand command;
  command.Delete(engine::Cf::kDefault, key);
  std::string out = "lost";
  c.at(leader).store().Write(c.Header(leader), std::move(command), [&](WriteResult result) {
    out = result.error ? std::string(result.error.message()) : "";
  });
  c.Settle();
  return out;
}

TEST(FullDisk, WritesAreRefusedAndDeletesMakeRoom) {
  TestCluster c(3, 3);
  EXPECT_EQ(c.Put("k", "v"), "");
  SetDisks(c, DiskUsage::kAlmostFull);
  EXPECT_EQ(c.Put("k2", "v").substr(0, 9), "disk full");
  EXPECT_EQ(Remove(c, "k"), "");
  SetDisks(c, DiskUsage::kAlreadyFull);
  EXPECT_EQ(Remove(c, "k").substr(0, 9), "disk full");
  SetDisks(c, DiskUsage::kNormal);
  EXPECT_EQ(c.Put("k2", "v"), "");
}

TEST(FullDisk, OnlyAMemberSaysSoOfItself) {
  TestCluster c(3, 3);
  const uint64_t leader = c.Leader();
  for (uint64_t s = 1; s <= 3; ++s) {
    for (uint64_t region : {1, 999}) {
      raft_serverpb::RaftMessage message;
      message.set_region_id(region);
      message.mutable_to_peer()->set_id(100 + leader);
      message.mutable_to_peer()->set_store_id(leader);
      message.mutable_from_peer()->set_id(900 + s);
      message.mutable_from_peer()->set_store_id(s);
      message.set_disk_usage(disk_usage::AlreadyFull);
      c.at(leader).store().OnMessage(std::move(message), nullptr, c.now);
    }
  }
  EXPECT_EQ(c.PutAt(leader, c.Header(leader), "k", "v"), "");
}

TEST(FullDisk, ALeaderMovesToWhereThereIsRoom) {
  TestCluster c(3, 3);
  const uint64_t full = c.Leader();
  c.at(full).store().SetDiskUsage(DiskUsage::kAlreadyFull);
  ASSERT_TRUE(c.Until([&] { return c.Leader() != full; }));
  EXPECT_EQ(c.Put("k", "v"), "");
  c.Tick(20);
  EXPECT_EQ(c.Stored(full, "k"), "-");  // What it lacks comes when it has room.
  c.at(full).store().SetDiskUsage(DiskUsage::kNormal);
  ASSERT_TRUE(c.Until([&] { return c.Stored(full, "k") == "v"; }));
}

TEST(FullDisk, WithoutRoomOnAQuorumTheLeaderRefuses) {
  TestCluster c(3, 3);
  const uint64_t leader = c.Leader();
  for (uint64_t s = 1; s <= 3; ++s) {
    if (s != leader) c.at(s).store().SetDiskUsage(DiskUsage::kAlmostFull);
  }
  c.Tick(5);
  EXPECT_EQ(c.Leader(), leader);
  EXPECT_EQ(c.Put("k", "v").substr(0, 9), "disk full");
  RequestHeader header = c.Header(leader);
  header.disk_full_opt = 1;
  EXPECT_EQ(c.PutAt(leader, header, "k", "v"), "");
}

TEST(ReadIndex, AReadThatGetsNoIndexEndsByItsDeadline) {
  TestCluster c(3, 3);
  const uint64_t follower = c.Leader() % 3 + 1;
  RequestHeader header = c.Header(follower);
  header.replica_read = true;
  header.deadline = c.now + std::chrono::milliseconds(350);
  c.Isolate(follower);
  std::string answer;
  c.at(follower).store().Read(header, c.now, [&](ReadResult result) {
    answer = result.error ? std::string(result.error.message()) : "read";
  });
  c.Tick(2);
  EXPECT_EQ(answer, "");
  c.Tick(2);
  EXPECT_NE(answer.find("deadline is exceeded"), std::string::npos) << answer;
}

}  // namespace
}  // namespace tikv::server
