#include "pd/tso/oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/env/random.h"

namespace tikv::pd::tso {
namespace {

using testing::Optional;

constexpr int64_t kNow = 1'700'000'000'000;

class OracleTest : public testing::Test {
 protected:
  // As a leader would: begin, save, serve.
  void Lead(int64_t now, int64_t saved = 0) { oracle_.OnSaved(oracle_.Begin(now, saved)); }
  // As the timer would, with a store that saves at once.
  void Tick(int64_t now) {
    if (auto bound = oracle_.Tick(now)) oracle_.OnSaved(*bound);
  }
  Timestamp Take(uint32_t count = 1) {
    auto ts = oracle_.Generate(count);
    EXPECT_TRUE(ts.ok()) << ts.status();
    EXPECT_GT(ts->Compose() - count + 1, last_) << "the first of the batch";
    EXPECT_LT(ts->physical, oracle_.bound_ms());
    last_ = ts->Compose();
    return *ts;
  }

  Oracle oracle_{OracleOptions{.window_ms = 3'000}};
  uint64_t last_ = 0;
};

TEST_F(OracleTest, ServesNothingBeforeTheBoundIsSaved) {
  const int64_t bound = oracle_.Begin(kNow, 0);
  EXPECT_EQ(bound, kNow + 3'000);
  EXPECT_TRUE(absl::IsUnavailable(oracle_.Generate(1).status()));
  oracle_.OnSaved(bound);
  EXPECT_EQ(Take().physical, kNow);
  oracle_.End();
  EXPECT_TRUE(absl::IsUnavailable(oracle_.Generate(1).status()));
}

TEST_F(OracleTest, ANewLeaderStartsAboveTheBoundItFinds) {
  Lead(kNow);
  for (int64_t t = 0; t < 10'000; t += 50) {
    Tick(kNow + t);
    Take();
  }
  const int64_t saved = oracle_.bound_ms();
  // Its clock is an hour behind.
  Oracle next(OracleOptions{.window_ms = 3'000});
  next.OnSaved(next.Begin(kNow - 3'600'000, saved));
  EXPECT_GT(next.Generate(1)->Compose(), last_);
}

TEST_F(OracleTest, TimeNeverGoesBackWithTheClock) {
  Lead(kNow);
  Take();
  Tick(kNow + 1'000);
  EXPECT_EQ(Take().physical, kNow + 1'000);
  Tick(kNow - 100'000);
  EXPECT_EQ(Take().physical, kNow + 1'000);
}

TEST_F(OracleTest, AnAheadJumpWaitsForItsBound) {
  Lead(kNow);
  auto bound = oracle_.Tick(kNow + 60'000);
  ASSERT_THAT(bound, Optional(kNow + 63'000));
  EXPECT_EQ(Take().physical, kNow) << "not beyond what is saved";
  oracle_.OnSaved(*bound);
  Tick(kNow + 60'050);
  EXPECT_EQ(Take().physical, kNow + 60'050);
}

TEST_F(OracleTest, OverflowMovesTheTimeWithinTheBound) {
  Lead(kNow);
  for (int i = 0; i < 100; ++i) Take(200'000);
  EXPECT_EQ(oracle_.current().physical, kNow + 99);
  // Without a new bound it ends just below the old one.
  absl::StatusOr<Timestamp> ts = Take(200'000);
  while ((ts = oracle_.Generate(200'000)).ok()) EXPECT_LT(ts->physical, oracle_.bound_ms());
  EXPECT_TRUE(absl::IsUnknown(ts.status()));
  Tick(kNow + 50);
  Take(200'000);
}

TEST_F(OracleTest, RefusesCountsThatCannotBe) {
  Lead(kNow);
  EXPECT_TRUE(absl::IsUnknown(oracle_.Generate(0).status()));
  EXPECT_TRUE(absl::IsUnknown(oracle_.Generate(kMaxLogical).status()));
  EXPECT_TRUE(absl::IsUnknown(oracle_.Generate(UINT32_MAX).status()));
  Take(kMaxLogical - 1);
}

TEST_F(OracleTest, ResetMovesAheadOnly) {
  Lead(kNow);
  Take();
  auto at = [](int64_t ms) { return Timestamp{ms, 0}.Compose(); };
  EXPECT_TRUE(absl::IsPermissionDenied(oracle_.PrepareReset(at(kNow - 1), false).status()));
  const int64_t two_days = 2 * 86'400'000;
  EXPECT_TRUE(absl::IsPermissionDenied(oracle_.PrepareReset(at(kNow + two_days), false).status()));
  auto bound = oracle_.PrepareReset(at(kNow + two_days), true);
  ASSERT_TRUE(bound.ok());
  oracle_.OnSaved(*bound);
  oracle_.Reset(at(kNow + two_days));
  EXPECT_EQ(Take().physical, kNow + two_days);
  oracle_.Reset(at(kNow + 1'000));
  EXPECT_EQ(Take().physical, kNow + two_days) << "a reset that time has overtaken";
}

// Clocks that jump about, saves that fail, leaders that change: timestamps only rise.
TEST_F(OracleTest, RisesThroughEverything) {
  Random random(7);
  int64_t now = kNow, saved = 0;
  Lead(now);
  saved = oracle_.bound_ms();
  for (int i = 0; i < 20'000; ++i) {
    now += static_cast<int64_t>(random.Uniform(100));
    if (random.OneIn(500)) now += static_cast<int64_t>(random.Uniform(20'000)) - 10'000;
    if (auto bound = oracle_.Tick(now); bound && !random.OneIn(3)) {
      saved = *bound;
      oracle_.OnSaved(saved);
    }
    if (random.OneIn(300)) {
      saved = oracle_.Begin(now, saved);
      oracle_.OnSaved(saved);
    }
    auto ts = oracle_.Generate(1 + static_cast<uint32_t>(random.Uniform(100'000)));
    if (!ts.ok()) continue;
    ASSERT_GT(ts->Compose(), last_);
    ASSERT_LT(ts->physical, saved);
    last_ = ts->Compose();
  }
}

}  // namespace
}  // namespace tikv::pd::tso
