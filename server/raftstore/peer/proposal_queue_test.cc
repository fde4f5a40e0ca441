#include "server/raftstore/peer/proposal_queue.h"

#include <gtest/gtest.h>

#include "proto/errorpb.pb.h"

namespace tikv::server {
namespace {

class ProposalQueueTest : public testing::Test {
 protected:
  void Push(uint64_t term, uint64_t index, std::string name) {
    std::vector<ProposalDone> waiters;
    waiters.push_back([this, name](WriteResult result) {
      log_ += name + (result.error ? ":" + std::string(result.error.message()) : ":ok") + " ";
    });
    queue_.Push(term, index, std::move(waiters));
  }
  void Apply(uint64_t term, uint64_t index) {
    for (ProposalDone& done : queue_.TakeApplied(term, index)) std::move(done)(WriteResult{});
  }
  ProposalQueue queue_;
  std::string log_;
};

TEST_F(ProposalQueueTest, AnswersInOrder) {
  Push(6, 10, "a");
  Push(6, 12, "b");
  Apply(6, 10);
  Apply(6, 11);
  Apply(6, 12);
  EXPECT_EQ(log_, "a:ok b:ok ");
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ProposalQueueTest, OverwrittenEntriesAreStale) {
  Push(6, 10, "a");
  Push(6, 11, "b");
  Apply(7, 10);
  EXPECT_EQ(log_, "a:stale command ");
  Push(8, 11, "c");  // Leader again, in a later term, at an index proposed before.
  EXPECT_EQ(log_, "a:stale command b:stale command ");
  Apply(8, 11);
  EXPECT_EQ(log_, "a:stale command b:stale command c:ok ");
}

TEST_F(ProposalQueueTest, LosingLeadershipKeepsWhatIsCommitted) {
  Push(6, 10, "a");
  Push(6, 11, "b");
  queue_.FailAbove(10);
  EXPECT_EQ(log_, "b:stale command ");
  Apply(6, 10);
  EXPECT_EQ(log_, "b:stale command a:ok ");
}

}  // namespace
}  // namespace tikv::server
