#include "client/ctl/latency.h"

#include <gtest/gtest.h>

namespace tikv::client {
namespace {

using std::chrono::nanoseconds;

TEST(Latencies, PercentilesAreAtMostThreePercentHigh) {
  Latencies l;
  for (int n = 1; n <= 100'000; ++n) l.Add(nanoseconds(n));
  for (const double f : {0.5, 0.99, 0.999, 1.0}) {
    const auto got = static_cast<double>(l.Percentile(f).count());
    EXPECT_GE(got, f * 100'000);
    EXPECT_LE(got, f * 100'000 * 1.033);
  }
}

TEST(Latencies, EmptyAndExtremes) {
  Latencies l;
  EXPECT_EQ(l.Percentile(0.5).count(), 0);
  l.Add(nanoseconds(0));
  EXPECT_EQ(l.Percentile(1).count(), 0);
  l.Add(nanoseconds(INT64_MAX));
  EXPECT_GE(l.Percentile(1).count(), INT64_MAX / 2);
}

TEST(Latencies, Merge) {
  Latencies a, b;
  a.Add(nanoseconds(10));
  b.Add(nanoseconds(20));
  a.Merge(b);
  EXPECT_EQ(a.count(), 2u);
  EXPECT_EQ(a.Percentile(1).count(), 20);
}

}  // namespace
}  // namespace tikv::client
