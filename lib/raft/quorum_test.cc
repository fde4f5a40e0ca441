#include "lib/raft/quorum.h"

#include <gtest/gtest.h>

#include <map>

#include "lib/env/random.h"

namespace tikv::raft {
namespace {

// The definition itself: the largest number that more than half have reached.
uint64_t NaiveAcked(const IdSet& voters, const std::map<uint64_t, uint64_t>& acked) {
  if (voters.empty()) return kUnbounded;
  uint64_t best = 0;
  for (const auto& [unused, candidate] : acked) {
    size_t reached = 0;
    for (uint64_t id : voters) {
      auto at = acked.find(id);
      reached += at != acked.end() && at->second >= candidate ? 1 : 0;
    }
    if (2 * reached > voters.size()) best = std::max(best, candidate);
  }
  return best;
}

// Tries all ways in which the missing votes may come.
VoteResult NaiveVote(const IdSet& voters, const std::map<uint64_t, bool>& votes) {
  if (voters.empty()) return VoteResult::kWon;
  std::vector<uint64_t> missing;
  for (uint64_t id : voters) {
    if (!votes.count(id)) missing.push_back(id);
  }
  bool may_win = false;
  bool may_lose = false;
  for (uint64_t bits = 0; bits < (1u << missing.size()); ++bits) {
    size_t yes = 0;
    for (uint64_t id : voters) yes += votes.count(id) && votes.at(id) ? 1 : 0;
    for (size_t i = 0; i < missing.size(); ++i) yes += (bits >> i) & 1;
    (2 * yes > voters.size() ? may_win : may_lose) = true;
  }
  if (may_win && may_lose) return VoteResult::kPending;
  return may_win ? VoteResult::kWon : VoteResult::kLost;
}

IdSet RandomSet(Random* random) {
  IdSet set;
  for (uint64_t n = random->Uniform(12); n > 0; --n) Insert(&set, 1 + random->Uniform(13));
  return set;
}

TEST(Quorum, AgreesWithItsDefinition) {
  Random random(1);
  for (int i = 0; i < 6'000; ++i) {
    const IdSet a = RandomSet(&random);
    const IdSet b = RandomSet(&random);
    std::map<uint64_t, uint64_t> acked;
    std::map<uint64_t, bool> votes;
    for (uint64_t id = 1; id <= 13; ++id) {
      if (!random.OneIn(4)) acked[id] = random.Uniform(6);
      if (!random.OneIn(3)) votes[id] = random.OneIn(2);
    }
    const auto acked_of = [&](uint64_t id) -> std::optional<uint64_t> {
      return acked.count(id) ? std::optional(acked[id]) : std::nullopt;
    };
    const auto vote_of = [&](uint64_t id) -> std::optional<bool> {
      return votes.count(id) ? std::optional(votes[id]) : std::nullopt;
    };
    ASSERT_EQ(MajorityAcked(a, acked_of), NaiveAcked(a, acked));
    ASSERT_EQ(JointAcked(a, b, acked_of), std::min(NaiveAcked(a, acked), NaiveAcked(b, acked)));
    const VoteResult va = NaiveVote(a, votes);
    const VoteResult vb = NaiveVote(b, votes);
    ASSERT_EQ(MajorityVote(a, vote_of), va);
    VoteResult both = VoteResult::kPending;
    if (va == VoteResult::kLost || vb == VoteResult::kLost) both = VoteResult::kLost;
    if (va == VoteResult::kWon && vb == VoteResult::kWon) both = VoteResult::kWon;
    ASSERT_EQ(JointVote(a, b, vote_of), both);
  }
}

TEST(Quorum, SetsStaySorted) {
  IdSet set;
  for (uint64_t id : {5, 1, 3, 1, 5}) Insert(&set, id);
  EXPECT_EQ(set, (IdSet{1, 3, 5}));
  Erase(&set, 3);
  Erase(&set, 4);
  EXPECT_EQ(set, (IdSet{1, 5}));
  EXPECT_TRUE(Contains(set, 5));
  EXPECT_FALSE(Contains(set, 3));
}

}  // namespace
}  // namespace tikv::raft
