#include "lib/raft/quorum.h"

#include <algorithm>
#include <array>

namespace tikv::raft {

bool Contains(const IdSet& set, uint64_t id) {
  return std::binary_search(set.begin(), set.end(), id);
}

void Insert(IdSet* set, uint64_t id) {
  auto at = std::lower_bound(set->begin(), set->end(), id);
  if (at == set->end() || *at != id) set->insert(at, id);
}

void Erase(IdSet* set, uint64_t id) {
  auto at = std::lower_bound(set->begin(), set->end(), id);
  if (at != set->end() && *at == id) set->erase(at);
}

uint64_t MajorityAcked(const IdSet& voters, AckedFn acked) {
  const size_t n = voters.size();
  if (n == 0) return kUnbounded;
  std::array<uint64_t, 9> few;  // larger groups pay an allocation
  std::vector<uint64_t> many;
  uint64_t* numbers = few.data();
  if (n > few.size()) {
    many.resize(n);
    numbers = many.data();
  }
  for (size_t i = 0; i < n; ++i) numbers[i] = acked(voters[i]).value_or(0);
  // With the numbers ascending, those from this position on are n/2 + 1 voters.
  const size_t position = n - (n / 2 + 1);
  std::nth_element(numbers, numbers + position, numbers + n);
  return numbers[position];
}

uint64_t JointAcked(const IdSet& incoming, const IdSet& outgoing, AckedFn acked) {
  return std::min(MajorityAcked(incoming, acked), MajorityAcked(outgoing, acked));
}

VoteResult MajorityVote(const IdSet& voters, VoteFn vote) {
  if (voters.empty()) return VoteResult::kWon;
  size_t granted = 0;
  size_t open = 0;
  for (uint64_t id : voters) {
    const std::optional<bool> v = vote(id);
    if (!v.has_value()) {
      ++open;
    } else if (*v) {
      ++granted;
    }
  }
  const size_t needed = voters.size() / 2 + 1;
  if (granted >= needed) return VoteResult::kWon;
  return granted + open >= needed ? VoteResult::kPending : VoteResult::kLost;
}

VoteResult JointVote(const IdSet& incoming, const IdSet& outgoing, VoteFn vote) {
  const VoteResult a = MajorityVote(incoming, vote);
  const VoteResult b = MajorityVote(outgoing, vote);
  if (a == b) return a;
  if (a == VoteResult::kLost || b == VoteResult::kLost) return VoteResult::kLost;
  return VoteResult::kPending;
}

}  // namespace tikv::raft
