#include "server/node/disk_watch.h"

#include <algorithm>

namespace tikv::server {

uint64_t ReserveOf(uint64_t configured, uint64_t capacity) {
  return std::min(configured, capacity / 5);
}

DiskUsage DiskUsageOf(uint64_t available, uint64_t reserve) {
  if (reserve == 0) return DiskUsage::kNormal;
  if (available <= reserve / 2) return DiskUsage::kAlreadyFull;
  return available <= reserve ? DiskUsage::kAlmostFull : DiskUsage::kNormal;
}

uint64_t AvailableOf(uint64_t capacity, uint64_t used, uint64_t disk_available) {
  return std::min(disk_available, capacity - std::min(capacity, used));
}

}  // namespace tikv::server
