// Finds the region and the store's address for a key: cache first, PD on a miss.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/driver/ports.h"
#include "client/driver/raw_codec.h"
#include "client/driver/region_cache.h"

namespace tikv::client {

// Where to send a request.
struct Target {
  RegionPtr region;
  std::string address;
};

// Thread-safe.  Concurrent misses for one key may ask PD more than once; the newest answer stays.
// Must outlive its callbacks.
class Locator {
 public:
  Locator(PdAccess* pd, const RawCodec* codec) : pd_(pd), codec_(codec) {}

  // `key`: a wire key.  `before`: as RegionCache::Find.  NotFound when PD has no region or the
  // region has no leader now: worth a later try.
  void Find(const std::string& key, bool before, Callback<absl::StatusOr<Target>> done);

  // What a NotLeader or EpochNotMatch reply taught.
  void Learn(const metapb::Region& region, const metapb::Peer& leader);
  // The next attempt asks PD.
  void Forget(const RegionPtr& region) { cache_.Invalidate(region); }
  // The address may be wrong: asks PD for the store anew.
  void ForgetStore(uint64_t store_id);
  bool SwitchLeader(const RegionPtr& region, const metapb::Peer& leader) {
    return cache_.SwitchLeader(region, leader);
  }

 private:
  void AskPd(std::string key, bool before, Callback<absl::StatusOr<Target>> done);
  void Resolve(RegionPtr region, Callback<absl::StatusOr<Target>> done);
  absl::StatusOr<RegionPtr> Decode(const metapb::Region& region, const metapb::Peer& leader) const;

  PdAccess* pd_;
  const RawCodec* codec_;
  RegionCache cache_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, std::string> addresses_;  // By store id.
};

}  // namespace tikv::client
