#include "server/raftstore/router/read_delegates.h"

#include <mutex>

namespace tikv::server {

std::shared_ptr<const RegionRange> ReadDelegates::Find(const RequestHeader& header,
                                                       MonotonicTime now) const {
  if (header.store != store_) return nullptr;
  const Shard& shard = ShardOf(header.region);
  const std::shared_lock lock(shard.mutex);
  const auto it = shard.delegates.find(header.region.value);
  if (it == shard.delegates.end()) return nullptr;
  const RegionRange& range = *it->second->range;
  if (range.peer != header.peer || range.version != header.version) return nullptr;
  if (header.term != 0 && header.term + 1 < range.term) return nullptr;
  if (now.nanos >= it->second->lease_until.load(std::memory_order_acquire)) return nullptr;
  return it->second->range;
}

void ReadDelegates::Publish(RegionId region, std::shared_ptr<ReadDelegate> delegate) {
  Shard& shard = ShardOf(region);
  const std::unique_lock lock(shard.mutex);
  shard.delegates[region.value] = std::move(delegate);
}

void ReadDelegates::Withdraw(RegionId region) {
  Shard& shard = ShardOf(region);
  const std::unique_lock lock(shard.mutex);
  shard.delegates.erase(region.value);
}

}  // namespace tikv::server
