// What must hold between any two calls, in one place (compare LogCabin's RaftConsensusInvariants).
#include "lib/base/check.h"
#include "lib/raft/raft.h"

namespace tikv::raft {

void Raft::CheckInvariants() const {
  // The log.
  CHECK_LE(log_.applied(), log_.committed());
  CHECK_LE(log_.committed(), log_.last_index());
  const Unstable& unstable = log_.unstable();
  CHECK_LE(unstable.offset(), unstable.offset_in_progress());
  CHECK_LE(unstable.offset_in_progress(), unstable.offset() + unstable.entries().size());
  uint64_t index = unstable.offset();
  uint64_t last_term = 0;
  for (const eraftpb::Entry& entry : unstable.entries()) {
    CHECK_EQ(entry.index(), index) << "a gap in the unstable log";
    CHECK_LE(last_term, entry.term()) << "terms fall along the log";
    CHECK_LE(entry.term(), term_) << "an entry of a future term";
    last_term = entry.term();
    ++index;
  }
  if (!unstable.entries().empty()) CHECK_EQ(index, log_.last_index() + 1);

  // What is told only grows.
  CHECK_LE(told_term_, term_);
  CHECK_LE(told_commit_, log_.committed());
  if (told_term_ == term_ && told_vote_ != 0) CHECK_EQ(told_vote_, vote_) << "a second vote";

  // The configuration.
  CHECK(MembershipFrom(members_.ToConfState()).ok()) << members_.Text();

  // The role.
  if (role() == Role::kCandidate) CHECK_EQ(vote_, id()) << "a candidate that voted for another";
  if (role() == Role::kCandidate || role() == Role::kPreCandidate) CHECK_EQ(leader_, 0u);
  const Leadership* l = leadership();
  CHECK_EQ(l != nullptr, leader_ == id() && id() != 0);
  if (l == nullptr) return;
  CHECK_EQ(l->peers.all().size(), members_.All().size());
  for (const Progress& peer : l->peers.all()) {
    CHECK(members_.Has(peer.id));
    CHECK_EQ(peer.learner, members_.IsLearner(peer.id));
    CHECK_LT(peer.match, peer.next);
    CHECK_LE(peer.match, log_.last_index());
    CHECK_LE(peer.acked_round, l->round);
    CHECK(peer.state == ReplicationState::kReplicate || peer.inflights.size() == 0);
  }
}

}  // namespace tikv::raft
