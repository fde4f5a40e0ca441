// ReadDelegates: what lets rpc threads read a region without asking the raft thread.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <shared_mutex>

#include "server/port/region_view.h"
#include "server/port/request_header.h"

namespace tikv::server {

// A replica as the raft thread last published it.  Immutable but for the lease; replaced when
// range, term or role change.
struct ReadDelegate {
  std::shared_ptr<const RegionRange> range;
  // Monotonic nanoseconds until which no other replica can lead; 0 = no lease.
  std::atomic<int64_t> lease_until{0};
};

// The raft thread publishes, rpc threads look up.  Lookups take a shard's lock shared; it is taken
// exclusively only when a region changes, never per request or per renewal of a lease.
class ReadDelegates {
 public:
  explicit ReadDelegates(StoreId store) : store_(store) {}

  // The delegate under which this request may be served on this store right now; null when the
  // raft thread must decide.
  std::shared_ptr<const RegionRange> Find(const RequestHeader& header, MonotonicTime now) const;

  void Publish(RegionId region, std::shared_ptr<ReadDelegate> delegate);
  void Withdraw(RegionId region);

 private:
  static constexpr size_t kShards = 64;
  struct alignas(64) Shard {
    mutable std::shared_mutex mutex;
    absl::flat_hash_map<uint64_t, std::shared_ptr<ReadDelegate>> delegates;
  };
  const Shard& ShardOf(RegionId region) const { return shards_[region.value % kShards]; }
  Shard& ShardOf(RegionId region) { return shards_[region.value % kShards]; }

  StoreId store_;
  std::array<Shard, kShards> shards_;
};

}  // namespace tikv::server
