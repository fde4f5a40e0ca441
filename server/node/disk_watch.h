// When a disk counts as full.  Pure; the node measures every second.
#pragma once

#include <cstdint>

#include "server/raftstore/peer/disk_table.h"

namespace tikv::server {

// What storage.reserve-space keeps free: as configured (0: nothing), but on a small disk no more
// than a fifth of it, or nothing could ever be stored there.
uint64_t ReserveOf(uint64_t configured, uint64_t capacity);

// Almost full below the reserve, already full below half of it.
DiskUsage DiskUsageOf(uint64_t available, uint64_t reserve);

// What is left of `capacity` on a disk with so much available, when `used` is ours.
uint64_t AvailableOf(uint64_t capacity, uint64_t used, uint64_t disk_available);

}  // namespace tikv::server
