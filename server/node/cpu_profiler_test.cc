#include "server/node/cpu_profiler.h"

#include <gtest/gtest.h>

#include "lib/base/bytes.h"

namespace tikv::server {
namespace {

// The fourth word of a profile is the time between two samples.
uint64_t PeriodMicros(const std::string& profile) {
  return GetLittle64(std::string_view(profile).substr(3 * sizeof(uintptr_t)));
}

TEST(CpuProfiler, TakesEveryRateThatCanBeAskedFor) {
  CpuProfiler profiler;
  for (const int hertz : {1, 2, 99, 1000}) {
    ASSERT_TRUE(profiler.Start(hertz).ok()) << hertz;
    EXPECT_TRUE(absl::IsUnavailable(profiler.Start(hertz)));
    EXPECT_EQ(PeriodMicros(profiler.Finish()), 1'000'000u / static_cast<unsigned>(hertz));
  }
}

}  // namespace
}  // namespace tikv::server
