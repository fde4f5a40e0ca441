#include "server/node/disk_watch.h"

#include <gtest/gtest.h>

namespace tikv::server {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

TEST(DiskWatchTest, TheReserveFitsTheDisk) {
  EXPECT_EQ(ReserveOf(5 * kGiB, 100 * kGiB), 5 * kGiB);
  EXPECT_EQ(ReserveOf(5 * kGiB, 10 * kGiB), 2 * kGiB);
  EXPECT_EQ(ReserveOf(0, 100 * kGiB), 0u);
}

TEST(DiskWatchTest, AlmostFullBelowTheReserveAlreadyFullBelowHalf) {
  EXPECT_EQ(DiskUsageOf(6 * kGiB, 5 * kGiB), DiskUsage::kNormal);
  EXPECT_EQ(DiskUsageOf(5 * kGiB, 5 * kGiB), DiskUsage::kAlmostFull);
  EXPECT_EQ(DiskUsageOf(5 * kGiB / 2, 5 * kGiB), DiskUsage::kAlreadyFull);
  EXPECT_EQ(DiskUsageOf(0, 5 * kGiB), DiskUsage::kAlreadyFull);
  EXPECT_EQ(DiskUsageOf(0, 0), DiskUsage::kNormal);  // Not watched.
}

TEST(DiskWatchTest, CapacityBoundsWhatIsAvailable) {
  EXPECT_EQ(AvailableOf(10, 4, 100), 6u);
  EXPECT_EQ(AvailableOf(10, 40, 100), 0u);
  EXPECT_EQ(AvailableOf(1000, 4, 100), 100u);
}

}  // namespace
}  // namespace tikv::server
