#include "client/driver/region_cache.h"

namespace tikv::client {
namespace {

bool Overlap(const Region& a, const Region& b) {
  return (a.end.empty() || b.start < a.end) && (b.end.empty() || a.start < b.end);
}

bool Newer(const Region& a, const Region& b) {
  const auto& x = a.meta.region_epoch();
  const auto& y = b.meta.region_epoch();
  return x.version() > y.version() ||
         (x.version() == y.version() && a.meta.id() == b.meta.id() && x.conf_ver() > y.conf_ver());
}

}  // namespace

RegionCache::Map::const_iterator RegionCache::Locate(std::string_view key, bool before) const {
  // The first region whose end lies beyond the key; looking from behind, at or beyond it.
  return before ? by_end_.lower_bound(key) : by_end_.upper_bound(key);
}

RegionPtr RegionCache::Find(std::string_view key, bool before) const {
  std::lock_guard lock(mutex_);
  if (before && key.empty()) return last_;
  const auto it = Locate(key, before);
  const RegionPtr& region = it == by_end_.end() ? last_ : it->second;
  if (region == nullptr) return nullptr;
  const bool holds = before ? key > region->start : key >= region->start;
  return holds ? region : nullptr;
}

void RegionCache::Insert(RegionPtr region) {
  std::lock_guard lock(mutex_);
  std::vector<std::string> overlapped;
  for (auto it = by_end_.upper_bound(region->start); it != by_end_.end(); ++it) {
    if (!Overlap(*it->second, *region)) break;
    if (Newer(*it->second, *region)) return;
    overlapped.push_back(it->first);
  }
  if (last_ != nullptr && Overlap(*last_, *region)) {
    if (Newer(*last_, *region)) return;
    last_ = nullptr;
  }
  for (const std::string& end : overlapped) by_end_.erase(end);
  if (region->end.empty()) {
    last_ = std::move(region);
  } else {
    std::string end = region->end;
    by_end_.insert_or_assign(std::move(end), std::move(region));
  }
}

void RegionCache::Invalidate(const RegionPtr& region) {
  std::lock_guard lock(mutex_);
  if (region->end.empty()) {
    if (last_ == region) last_ = nullptr;
    return;
  }
  const auto it = by_end_.find(region->end);
  if (it != by_end_.end() && it->second == region) by_end_.erase(it);
}

bool RegionCache::SwitchLeader(const RegionPtr& region, const metapb::Peer& leader) {
  for (const metapb::Peer& peer : region->meta.peers()) {
    if (peer.id() != leader.id()) continue;
    auto changed = std::make_shared<Region>(*region);
    changed->leader = peer;
    std::lock_guard lock(mutex_);
    if (region->end.empty()) {
      if (last_ == region) last_ = std::move(changed);
    } else if (const auto it = by_end_.find(region->end);
               it != by_end_.end() && it->second == region) {
      it->second = std::move(changed);
    }
    return true;
  }
  return false;
}

}  // namespace tikv::client
