#include "lib/sim/scheduler.h"

#include <gtest/gtest.h>

namespace tikv::sim {
namespace {

using std::chrono::milliseconds;

// The order in which two strands of three tasks each run under a seed.
std::string Interleaving(uint64_t seed) {
  ManualClock clock;
  Scheduler scheduler(&clock, Random(seed));
  auto a = scheduler.NewStrand("a"), b = scheduler.NewStrand("b");
  std::string order;
  for (int i = 1; i <= 3; ++i) {
    a->Post([&order, i] { order += fmt::format("a{}", i); });
    b->Post([&order, i] { order += fmt::format("b{}", i); });
  }
  scheduler.RunReady();
  return order;
}

TEST(SchedulerTest, SeedDecidesBetweenStrandsNeverWithinOne) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::string order = Interleaving(seed);
    EXPECT_EQ(order, Interleaving(seed));
    for (const char c : {'a', 'b'}) {
      EXPECT_LT(order.find({c, '1'}), order.find({c, '2'}));
      EXPECT_LT(order.find({c, '2'}), order.find({c, '3'}));
    }
    seen.insert(order);
  }
  EXPECT_EQ(seen.size(), 20u) << "all 6!/(3!3!) interleavings";
}

class SchedulerTimeTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  Scheduler scheduler_{&clock_, Random(1)};
  std::unique_ptr<Executor> strand_ = scheduler_.NewStrand("s", /*max_queued=*/2);
};

TEST_F(SchedulerTimeTest, TimeJumpsFromTimerToTimer) {
  const MonotonicTime start = clock_.Now();
  std::vector<Duration> fired;
  std::function<void()> tick = [&] {
    fired.push_back(clock_.Now() - start);
    strand_->PostAfter(milliseconds(100), [&] { tick(); });
  };
  strand_->Post([&] { tick(); });
  scheduler_.RunFor(milliseconds(250));
  EXPECT_EQ(fired, (std::vector<Duration>{milliseconds(0), milliseconds(100), milliseconds(200)}));
  EXPECT_EQ(clock_.Now() - start, milliseconds(250));
}

TEST_F(SchedulerTimeTest, CancelAndBounds) {
  bool fired = false;
  const TimerId id = strand_->PostAfter(milliseconds(1), [&] { fired = true; });
  EXPECT_TRUE(strand_->Cancel(id));
  EXPECT_FALSE(strand_->Cancel(id));
  scheduler_.RunFor(milliseconds(10));
  EXPECT_FALSE(fired);
  EXPECT_TRUE(strand_->TryPost([] {}));
  EXPECT_TRUE(strand_->TryPost([&] { fired = strand_->InThread(); }));
  EXPECT_FALSE(strand_->TryPost([] {}));
  scheduler_.RunReady();
  EXPECT_TRUE(fired);
  EXPECT_FALSE(strand_->InThread());
}

TEST_F(SchedulerTimeTest, RunUntilStopsAtItsConditionOrLimit) {
  int n = 0;
  std::function<void()> tick = [&] {
    ++n;
    strand_->PostAfter(milliseconds(10), [&] { tick(); });
  };
  strand_->Post([&] { tick(); });
  EXPECT_TRUE(scheduler_.RunUntil([&] { return n == 5; }, milliseconds(1000)));
  EXPECT_FALSE(scheduler_.RunUntil([&] { return n == 1000; }, milliseconds(100)));
}

TEST(ManualClockTest, WallStepsDoNotMoveMonotonicTime) {
  ManualClock clock;
  const auto now = clock.Now();
  const auto wall = clock.Wall();
  clock.StepWall(std::chrono::hours(-1));
  EXPECT_EQ(clock.Now(), now);
  EXPECT_EQ(clock.Wall() - wall, std::chrono::hours(-1));
  clock.Advance(milliseconds(5));
  EXPECT_EQ(clock.Now() - now, milliseconds(5));
}

}  // namespace
}  // namespace tikv::sim
