// The allocator over changes of leadership.
#include "pd/tso/allocator.h"

#include <gtest/gtest.h>

#include "lib/base/status.h"
#include "lib/sim/scheduler.h"
#include "pd/cluster/testing/fake_meta_store.h"

namespace tikv::pd::tso {
namespace {

class AllocatorTest : public testing::Test {
 protected:
  sim::ManualClock clock_;
  sim::Scheduler sim_{&clock_, Random(1, "allocator-test")};
  std::unique_ptr<Executor> strand_ = sim_.NewStrand("tso");
  FakeMetaStore meta_{42};
  Allocator allocator_{{}, &clock_, strand_.get(), &meta_};
};

TEST_F(AllocatorTest, ServesOnceTheBoundIsSaved) {
  allocator_.Start();
  EXPECT_FALSE(allocator_.Allocate(1).ok());
  sim_.RunReady();
  EXPECT_TRUE(allocator_.Allocate(1).ok());
  meta_.Lead(false);
  EXPECT_FALSE(allocator_.Allocate(1).ok());
}

TEST_F(AllocatorTest, ASaveThatEndsAfterTheLeadershipServesNothing) {
  allocator_.Start();
  ASSERT_TRUE(sim_.Step());  // Begins; the store has answered, and the strand not yet heard of it.
  meta_.Lead(false);
  sim_.RunReady();
  EXPECT_FALSE(allocator_.IsServing());
  // Leads again: nothing before a new bound is saved.
  meta_.Lead(true);
  EXPECT_FALSE(allocator_.Allocate(1).ok());
  sim_.RunReady();
  EXPECT_TRUE(allocator_.Allocate(1).ok());
}

// Nobody else could lead, so nobody else would begin for us.
TEST_F(AllocatorTest, ALoneMemberServesOnceItsDiskWorksAgain) {
  meta_.Hold();
  allocator_.Start();
  for (int i = 0; i < 3; ++i) {
    sim_.RunFor(std::chrono::milliseconds(100));
    meta_.Release(Unavailable("etcdserver: request timed out"));
    meta_.Hold();
  }
  sim_.RunFor(std::chrono::milliseconds(100));
  EXPECT_FALSE(allocator_.IsServing());
  meta_.Release(absl::OkStatus());
  sim_.RunFor(std::chrono::milliseconds(100));
  EXPECT_TRUE(allocator_.Allocate(1).ok());
}

TEST_F(AllocatorTest, NoResetBeyondWhatCanBeSaved) {
  allocator_.Start();
  sim_.RunReady();
  absl::Status answer;
  allocator_.Reset(UINT64_MAX, /*force_larger=*/true, [&](absl::Status s) { answer = s; });
  sim_.RunReady();
  EXPECT_TRUE(absl::IsPermissionDenied(answer)) << answer;
}

}  // namespace
}  // namespace tikv::pd::tso
