#include "lib/raft/membership.h"

#include <gtest/gtest.h>

#include "lib/env/random.h"

namespace tikv::raft {
namespace {

Changes RandomChanges(Random* random, uint64_t most) {
  Changes changes;
  for (uint64_t n = 1 + random->Uniform(most); n > 0; --n) {
    eraftpb::ConfChangeSingle* change = changes.Add();
    change->set_change_type(static_cast<eraftpb::ConfChangeType>(random->Uniform(4)));
    change->set_node_id(random->Uniform(7));
  }
  return changes;
}

// Whether every majority of one and every majority of the other share a voter: over all subsets.
bool MajoritiesOverlap(const Membership& a, const Membership& b) {
  const auto wins = [](const Membership& m, uint64_t bits) {
    const auto vote = [bits](uint64_t id) { return std::optional<bool>((bits >> id) & 1); };
    return JointVote(m.voters, m.outgoing, vote) == VoteResult::kWon;
  };
  for (uint64_t bits = 0; bits < 128; ++bits) {
    if (wins(a, bits) && wins(b, ~bits)) return false;
  }
  return true;
}

TEST(Membership, AnyTwoNeighboursShareAVoterInEveryMajority) {
  Random random(3);
  Membership m = *MembershipFrom([] {
    eraftpb::ConfState state;
    state.add_voters(1);
    return state;
  }());
  int joint = 0;
  for (int i = 0; i < 8'000; ++i) {
    absl::StatusOr<Membership> next =
        m.joint()         ? LeaveJoint(m)
        : random.OneIn(2) ? SimpleChange(m, RandomChanges(&random, 3))
                          : EnterJoint(m, random.OneIn(2), RandomChanges(&random, 5));
    if (!next.ok()) continue;
    ASSERT_TRUE(MajoritiesOverlap(m, *next)) << m.Text() << " -> " << next->Text();
    absl::StatusOr<Membership> again = MembershipFrom(next->ToConfState());
    ASSERT_TRUE(again.ok()) << next->Text();
    ASSERT_EQ(*again, *next);
    joint += next->joint() ? 1 : 0;
    m = *std::move(next);
  }
  EXPECT_GT(joint, 100);
}

TEST(Membership, RefusesStatesThatCannotBe) {
  eraftpb::ConfState both;
  both.add_voters(1);
  both.add_learners(1);
  EXPECT_FALSE(MembershipFrom(both).ok());
  eraftpb::ConfState leave;
  leave.add_voters(1);
  leave.set_auto_leave(true);
  EXPECT_FALSE(MembershipFrom(leave).ok());
  eraftpb::ConfState next;
  next.add_voters(1);
  next.add_learners_next(2);
  EXPECT_FALSE(MembershipFrom(next).ok());
}

TEST(Membership, PicksTheProtocolByTheChange) {
  Membership m;
  m.voters = {1, 2, 3};
  eraftpb::ConfChangeV2 change;
  eraftpb::ConfChangeSingle* single = change.add_changes();
  single->set_change_type(eraftpb::AddLearnerNode);
  single->set_node_id(4);
  EXPECT_EQ(ApplyChange(m, change)->Text(), "voters=(1 2 3) learners=(4)");
  change.set_transition(eraftpb::Explicit);
  EXPECT_EQ(ApplyChange(m, change)->Text(), "voters=(1 2 3)&&(1 2 3) learners=(4)");
  change.set_transition(eraftpb::Auto);
  single = change.add_changes();
  single->set_change_type(eraftpb::RemoveNode);
  single->set_node_id(1);
  absl::StatusOr<Membership> joint = ApplyChange(m, change);
  EXPECT_EQ(joint->Text(), "voters=(2 3)&&(1 2 3) learners=(4) autoleave");
  EXPECT_EQ(ApplyChange(*joint, {})->Text(), "voters=(2 3) learners=(4)");
}

}  // namespace
}  // namespace tikv::raft
