// Whole groups: elections, replication, membership, reads, leases, transfers, snapshots.
#include "lib/raft/raw_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/raft/testing/cluster.h"

namespace tikv::raft {
namespace {

using ::testing::ElementsAre;

TEST(RawNode, ElectsAndReplicates) {
  Cluster c(3, 1);
  c.Elect(2);
  ASSERT_EQ(c.leader(), 2u);
  auto at = c.node(2).Propose("x");
  ASSERT_TRUE(at.ok());
  EXPECT_EQ(at->index, 3u);
  EXPECT_EQ(at->term, c.node(2).term());
  c.Settle();
  for (uint64_t id : {1, 2, 3}) {
    EXPECT_EQ(c.at(id).state, "x");
    EXPECT_EQ(c.node(id).leader(), 2u);
    EXPECT_EQ(c.node(id).commit(), 3u);
    EXPECT_FALSE(c.node(id).HasReady());
  }
}

TEST(RawNode, ElectsByItselfAfterTimeout) {
  Cluster c(3, 7);
  c.TickAll(60);
  EXPECT_NE(c.leader(), 0u);
}

TEST(RawNode, SingleVoterCommitsAlone) {
  Cluster c(1, 1);
  c.Elect(1);
  ASSERT_TRUE(c.node(1).Propose("a").ok());
  c.Settle();
  EXPECT_EQ(c.at(1).state, "a");
}

TEST(RawNode, FollowerRefusesProposals) {
  Cluster c(3, 1);
  c.Elect(1);
  EXPECT_TRUE(absl::IsUnavailable(c.node(2).Propose("x").status()));
}

}  // namespace
}  // namespace tikv::raft
