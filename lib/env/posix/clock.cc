#include "lib/env/posix/clock.h"

#include <sys/random.h>
#include <time.h>

#include "lib/base/check.h"

namespace tikv {
namespace {

int64_t Read(clockid_t id) {
  timespec ts;
  clock_gettime(id, &ts);
  return int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
}

}  // namespace

MonotonicTime PosixClock::Now() { return {Read(CLOCK_MONOTONIC_RAW)}; }
MonotonicTime PosixClock::CoarseNow() { return {Read(CLOCK_MONOTONIC_COARSE)}; }
WallTime PosixClock::Wall() { return {Read(CLOCK_REALTIME)}; }

uint64_t EntropySeed() {
  uint64_t seed = 0;
  CHECK_EQ(getrandom(&seed, sizeof(seed), 0), ssize_t{sizeof(seed)});
  return seed;
}

}  // namespace tikv
