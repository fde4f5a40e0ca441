#include "client/ctl/restart_backoff.h"

#include <gtest/gtest.h>

namespace tikv::client {
namespace {

using std::chrono::seconds;

TEST(RestartBackoff, GrowsWhileTheServerDiesAtOnceAndForgetsAfterALongLife) {
  RestartBackoff backoff;
  RestartBackoff::Time now{};
  for (const int wait : {1, 2, 4, 8, 16, 30, 30}) {
    backoff.Started(now);
    EXPECT_EQ(backoff.Ended(now), seconds(wait));
    EXPECT_FALSE(backoff.Due(now + seconds(wait) - std::chrono::milliseconds(1)));
    now += seconds(wait);
    EXPECT_TRUE(backoff.Due(now));
  }
  backoff.Started(now);
  EXPECT_EQ(backoff.Ended(now + RestartBackoff::kLongLife), seconds(1));
}

}  // namespace
}  // namespace tikv::client
