// Majority decisions, also of joint configurations.
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace tikv::raft {

// Sorted, without repetition.
using IdSet = std::vector<uint64_t>;

bool Contains(const IdSet& set, uint64_t id);
void Insert(IdSet* set, uint64_t id);
void Erase(IdSet* set, uint64_t id);

// What an empty majority agrees to: everything, so that joining it with another changes nothing.
inline constexpr uint64_t kUnbounded = std::numeric_limits<uint64_t>::max();

// The number a voter has acknowledged (an index, a round, a stamp); none counts as 0.
using AckedFn = absl::FunctionRef<std::optional<uint64_t>(uint64_t id)>;
// How a voter voted; none: not yet.
using VoteFn = absl::FunctionRef<std::optional<bool>(uint64_t id)>;

// The largest number that a majority of `voters` has acknowledged.
uint64_t MajorityAcked(const IdSet& voters, AckedFn acked);
// ... that a majority of each has.
uint64_t JointAcked(const IdSet& incoming, const IdSet& outgoing, AckedFn acked);

enum class VoteResult { kPending, kLost, kWon };

VoteResult MajorityVote(const IdSet& voters, VoteFn vote);
// Won when both majorities won, lost as soon as one has lost.
VoteResult JointVote(const IdSet& incoming, const IdSet& outgoing, VoteFn vote);

}  // namespace tikv::raft
