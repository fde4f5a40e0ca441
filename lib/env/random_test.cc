#include "lib/env/random.h"

#include <gtest/gtest.h>

#include <map>

namespace tikv {
namespace {

TEST(RandomTest, SameSeedAndNameReplay) {
  Random a(7, "store-1"), b(7, "store-1"), c(7, "store-2"), d(8, "store-1");
  const uint64_t first = a.Next();
  EXPECT_EQ(first, b.Next());
  EXPECT_NE(first, c.Next());
  EXPECT_NE(first, d.Next());
}

TEST(RandomTest, UniformCoversItsRangeEvenly) {
  Random random(1);
  std::map<uint64_t, int> seen;
  for (int i = 0; i < 30'000; ++i) ++seen[random.Uniform(3)];
  ASSERT_EQ(seen.size(), 3u);
  for (const auto& [value, count] : seen) EXPECT_NEAR(count, 10'000, 500) << value;
}

TEST(RandomTest, BetweenIncludesBothEnds) {
  Random random(1);
  std::map<uint64_t, int> seen;
  for (int i = 0; i < 100; ++i) ++seen[random.Between(5, 6)];
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(random.Between(9, 9), 9u);
  random.Between(0, UINT64_MAX);
}

TEST(RandomTest, FractionStaysBelowOne) {
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const double f = random.Fraction();
    EXPECT_GE(f, 0.0);
    EXPECT_LT(f, 1.0);
  }
}

}  // namespace
}  // namespace tikv
