#include "lib/raft/progress.h"

#include <gtest/gtest.h>

namespace tikv::raft {
namespace {

TEST(Inflights, LimitsMessagesAndBytes) {
  Inflights window(3, 100);
  window.Add(1, 10);
  window.Add(2, 10);
  EXPECT_FALSE(window.full());
  window.Add(3, 10);
  EXPECT_TRUE(window.full()) << "three messages";
  window.FreeTo(0);
  EXPECT_EQ(window.size(), 3u);
  window.FreeTo(2);
  EXPECT_EQ(window.size(), 1u);
  window.Add(9, 200);
  EXPECT_TRUE(window.full()) << "too many bytes, but the message that crossed the limit went";
  window.FreeTo(9);
  EXPECT_EQ(window.size(), 0u);
  EXPECT_FALSE(window.full());
}

TEST(Inflights, KeepsOrderOverManyRounds) {
  Inflights window(8, 0);
  uint64_t sent = 0;
  uint64_t freed = 0;
  for (int round = 0; round < 1000; ++round) {
    while (!window.full()) window.Add(++sent, 1);
    freed += 1 + static_cast<uint64_t>(round) % 7;
    window.FreeTo(freed);
    ASSERT_EQ(window.size(), sent - freed);
  }
}

Progress Replicating(uint64_t match) {
  Progress p(2, match + 1, 4, 0);
  p.Update(match);
  p.BecomeReplicate();
  return p;
}

TEST(Progress, StreamsUntilTheWindowIsFull) {
  Progress p = Replicating(10);
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(p.paused());
    p.SentEntries(2, 100);
  }
  EXPECT_EQ(p.next, 19u);
  EXPECT_TRUE(p.paused());
  EXPECT_TRUE(p.Update(12));
  EXPECT_FALSE(p.paused());
  EXPECT_EQ(p.next, 19u);
  EXPECT_FALSE(p.Update(12));
}

TEST(Progress, ProbesOneAtATime) {
  Progress p(2, 11, 4, 0);
  p.SentEntries(3, 10);
  EXPECT_TRUE(p.paused());
  EXPECT_EQ(p.next, 11u) << "a probe does not run ahead";
  EXPECT_FALSE(p.Decrease(8, 5)) << "the answer to an older probe";
  EXPECT_TRUE(p.Decrease(10, 5));
  EXPECT_EQ(p.next, 6u);
  EXPECT_FALSE(p.paused());
}

TEST(Progress, RejectionNeverGoesBelowWhatIsKnown) {
  Progress p = Replicating(10);
  p.SentEntries(5, 10);
  EXPECT_FALSE(p.Decrease(9, 0));
  EXPECT_TRUE(p.Decrease(15, 0));
  EXPECT_EQ(p.next, 11u);
}

TEST(Progress, AFailedSnapshotProbesFromWhereItWas) {
  Progress p(2, 11, 4, 0);
  p.Update(3);
  p.BecomeSnapshot(50);
  EXPECT_TRUE(p.paused());
  EXPECT_EQ(p.next, 51u);
  Progress arrived = p;
  arrived.BecomeProbe();
  EXPECT_EQ(arrived.next, 51u);
  p.pending_snapshot = 0;
  p.BecomeProbe();
  EXPECT_EQ(p.next, 4u);
}

TEST(ProgressTable, FollowsTheMembership) {
  ProgressTable table(4, 0);
  Membership m;
  m.voters = {1, 3};
  m.learners = {2};
  table.Reconcile(m, 7);
  ASSERT_EQ(table.all().size(), 3u);
  EXPECT_TRUE(table.Find(2)->learner);
  table.Find(3)->Update(20);
  m.voters = {2, 3};
  m.learners = {};
  table.Reconcile(m, 30);
  ASSERT_EQ(table.all().size(), 2u);
  EXPECT_EQ(table.Find(1), nullptr);
  EXPECT_EQ(table.Find(3)->match, 20u) << "kept";
  EXPECT_EQ(table.Find(2)->next, 7u) << "promoted, not new";
  EXPECT_FALSE(table.Find(2)->learner);
}

}  // namespace
}  // namespace tikv::raft
