#include "client/driver/locator.h"

#include "lib/base/status.h"

namespace tikv::client {

void Locator::Find(const std::string& key, bool before, Callback<absl::StatusOr<Target>> done) {
  RegionPtr region = cache_.Find(key, before);
  if (region != nullptr && region->leader.store_id() != 0) {
    Resolve(std::move(region), std::move(done));
  } else {
    AskPd(key, before, std::move(done));
  }
}

void Locator::AskPd(std::string key, bool before, Callback<absl::StatusOr<Target>> done) {
  pd_->GetRegion(
      codec_->ToPd(key), before,
      [this, done = std::move(done)](absl::StatusOr<PdRegion> found) mutable {
        if (!found.ok()) return std::move(done)(found.status());
        absl::StatusOr<RegionPtr> region = Decode(found->region, found->leader);
        if (!region.ok()) return std::move(done)(region.status());
        cache_.Insert(*region);
        if ((*region)->leader.store_id() == 0) {
          return std::move(done)(NotFound("region {} has no leader", (*region)->meta.id()));
        }
        Resolve(*std::move(region), std::move(done));
      });
}

void Locator::Resolve(RegionPtr region, Callback<absl::StatusOr<Target>> done) {
  const uint64_t store = region->leader.store_id();
  std::unique_lock lock(mutex_);
  if (const auto it = addresses_.find(store); it != addresses_.end()) {
    Target target{std::move(region), it->second};
    lock.unlock();
    return std::move(done)(std::move(target));
  }
  lock.unlock();
  pd_->GetStore(store, [this, region = std::move(region),
                        done = std::move(done)](absl::StatusOr<metapb::Store> found) mutable {
    if (!found.ok()) return std::move(done)(found.status());
    {
      std::lock_guard lock(mutex_);
      addresses_[found->id()] = found->address();
    }
    std::move(done)(Target{std::move(region), found->address()});
  });
}

absl::StatusOr<RegionPtr> Locator::Decode(const metapb::Region& region,
                                          const metapb::Peer& leader) const {
  auto decoded = std::make_shared<Region>();
  decoded->meta = region;
  decoded->leader = leader;
  ASSIGN_OR_RETURN(decoded->start, codec_->FromPd(region.start_key()));
  ASSIGN_OR_RETURN(decoded->end, codec_->FromPd(region.end_key()));
  return RegionPtr(std::move(decoded));
}

void Locator::Learn(const metapb::Region& region, const metapb::Peer& leader) {
  if (absl::StatusOr<RegionPtr> decoded = Decode(region, leader); decoded.ok()) {
    cache_.Insert(*std::move(decoded));
  }
}

void Locator::ForgetStore(uint64_t store_id) {
  std::lock_guard lock(mutex_);
  addresses_.erase(store_id);
}

}  // namespace tikv::client
