#include "pd/core/region_table.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace tikv::pd {

void RegionIdSet::Insert(uint64_t id) {
  auto [it, fresh] = position_.try_emplace(id, ids_.size());
  if (fresh) ids_.push_back(id);
}

void RegionIdSet::Erase(uint64_t id) {
  auto it = position_.find(id);
  if (it == position_.end()) return;
  const uint32_t hole = it->second;
  position_.erase(it);
  if (hole + 1 < ids_.size()) {
    ids_[hole] = ids_.back();
    position_[ids_[hole]] = hole;
  }
  ids_.pop_back();
}

namespace {

bool SameRange(const RegionInfo& a, const RegionInfo& b) {
  return a.start() == b.start() && a.end() == b.end();
}

bool SamePeer(const metapb::Peer& a, const metapb::Peer& b) {
  return a.id() == b.id() && a.store_id() == b.store_id() && a.role() == b.role() &&
         a.is_witness() == b.is_witness();
}

bool SamePeers(const RegionInfo& a, const RegionInfo& b) {
  return std::equal(a.meta.peers().begin(), a.meta.peers().end(), b.meta.peers().begin(),
                    b.meta.peers().end(), SamePeer);
}

bool SamePending(const RegionInfo& a, const RegionInfo& b) {
  return std::equal(a.pending_peers.begin(), a.pending_peers.end(), b.pending_peers.begin(),
                    b.pending_peers.end(), SamePeer);
}

absl::Status Stale(const RegionInfo& region, const RegionInfo& origin) {
  return FailedPrecondition("region is stale: region {} origin {}", Describe(region),
                            Describe(origin));
}

}  // namespace

RegionTable::Ordered::const_iterator RegionTable::Seek(std::string_view key) const {
  auto it = by_key_.upper_bound(key);
  if (it != by_key_.begin()) {
    auto before = std::prev(it);
    if ((*before)->Contains(key)) return before;
  }
  return it;
}

std::vector<RegionPtr> RegionTable::Overlapping(const RegionInfo& region) const {
  std::vector<RegionPtr> out;
  for (auto it = Seek(region.start()); it != by_key_.end(); ++it) {
    if (!region.end().empty() && (*it)->start() >= region.end()) break;
    out.push_back(*it);
  }
  return out;
}

absl::Status RegionTable::Check(const RegionInfo& region) const {
  const auto& epoch = region.meta.region_epoch();
  RegionPtr origin = ById(region.id());
  if (origin == nullptr || !SameRange(*origin, region)) {
    for (const RegionPtr& other : Overlapping(region)) {
      if (epoch.version() < other->meta.region_epoch().version()) return Stale(region, *other);
    }
  }
  if (origin == nullptr) return absl::OkStatus();
  const auto& old = origin->meta.region_epoch();
  // A recreated region (unsafe recovery) starts over with epoch 1/1, whatever was known before.
  const bool recreated = epoch.version() == 1 && epoch.conf_ver() == 1;
  if (recreated) return absl::OkStatus();
  if (epoch.version() < old.version() || epoch.conf_ver() < old.conf_ver()) {
    return Stale(region, *origin);
  }
  const bool same_epoch = epoch.version() == old.version() && epoch.conf_ver() == old.conf_ver();
  if (same_epoch && region.term < origin->term) return Stale(region, *origin);
  return absl::OkStatus();
}

RegionTable::Change RegionTable::Put(std::shared_ptr<RegionInfo> region) {
  Change change;
  auto known = by_id_.find(region->meta.id());
  RegionPtr origin = known == by_id_.end() ? nullptr : known->second;
  // Nothing there counts as one MiB: stores of empty regions, too, are to hold equally many.
  if (region->approximate_size_mib == 0) {
    region->approximate_size_mib = origin != nullptr ? origin->approximate_size_mib : 1;
  }
  if (origin != nullptr) {
    if (region->approximate_keys == 0) region->approximate_keys = origin->approximate_keys;
    change.leader_changed = origin->leader.id() != region->leader.id();
  } else {
    change.leader_changed = true;
  }
  // The common case, a heartbeat without news: one look-up in each index and no re-ordering.
  if (origin != nullptr && SameRange(*origin, *region)) {
    const auto& a = origin->meta.region_epoch();
    const auto& b = region->meta.region_epoch();
    change.meta_changed =
        a.version() != b.version() || a.conf_ver() != b.conf_ver() || !SamePeers(*origin, *region);
    auto it = by_key_.find(region->start());
    CHECK(it != by_key_.end()) << "region " << region->meta.id() << " is not in key order";
    known->second = region;
    const_cast<RegionPtr&>(*it) = region;  // Equal start keys: the order stays.
    Reindex(*origin, *region);
    return change;
  }
  change.meta_changed = true;
  if (origin != nullptr) Remove(region->id());
  for (RegionPtr& old : Overlapping(*region)) {
    Remove(old->id());
    change.removed.push_back(std::move(old));
  }
  Index(*region, +1);
  by_key_.insert(region);
  by_id_[region->meta.id()] = std::move(region);
  return change;
}

RegionPtr RegionTable::Remove(RegionId id) {
  auto it = by_id_.find(id.value);
  if (it == by_id_.end()) return nullptr;
  RegionPtr gone = std::move(it->second);
  by_id_.erase(it);
  by_key_.erase(by_key_.find(gone->start()));
  Index(*gone, -1);
  return gone;
}

void RegionTable::Clear() {
  by_key_.clear();
  by_id_.clear();
  by_store_.clear();
  total_size_mib_ = 0;
  reported_ = 0;
}

void RegionTable::Reindex(const RegionInfo& before, const RegionInfo& after) {
  const bool same_members = SamePeers(before, after) && before.leader.id() == after.leader.id() &&
                            SamePending(before, after);
  if (same_members && before.approximate_size_mib == after.approximate_size_mib &&
      before.reported == after.reported) {
    return;
  }
  Index(before, -1);
  Index(after, +1);
}

void RegionTable::Index(const RegionInfo& region, int sign) {
  const uint64_t id = region.meta.id();
  const uint64_t size = sign > 0 ? region.approximate_size_mib : -region.approximate_size_mib;
  auto update = [&](RegionIdSet& set) { sign > 0 ? set.Insert(id) : set.Erase(id); };
  total_size_mib_ += size;
  if (region.reported) reported_ += sign;
  for (const auto& peer : region.meta.peers()) {
    auto& slot = by_store_[peer.store_id()];
    if (slot == nullptr) slot = std::make_unique<StoreRegions>();
    slot->region_size_mib += size;
    if (region.leader.id() != 0 && peer.id() == region.leader.id()) {
      slot->leader_size_mib += size;
      update(slot->leaders);
    } else if (IsLearner(peer)) {
      update(slot->learners);
    } else {
      update(slot->followers);
    }
  }
  for (const auto& peer : region.pending_peers) {
    auto slot = by_store_.find(peer.store_id());
    if (slot != by_store_.end()) update(slot->second->pending);
  }
}

RegionPtr RegionTable::ById(RegionId id) const {
  auto it = by_id_.find(id.value);
  return it == by_id_.end() ? nullptr : it->second;
}

RegionPtr RegionTable::ByKey(std::string_view key) const {
  auto it = Seek(key);
  return it != by_key_.end() && (*it)->Contains(key) ? *it : nullptr;
}

RegionPtr RegionTable::Prev(std::string_view key) const {
  auto it = Seek(key);
  if (it == by_key_.end() || !(*it)->Contains(key) || it == by_key_.begin()) return nullptr;
  auto before = std::prev(it);
  return (*before)->end() == (*it)->start() ? *before : nullptr;
}

RegionPtr RegionTable::Next(const RegionInfo& region) const {
  if (region.end().empty()) return nullptr;
  auto it = by_key_.find(region.end());
  return it == by_key_.end() ? nullptr : *it;
}

std::vector<RegionPtr> RegionTable::Scan(std::string_view start, std::string_view end,
                                         int64_t limit) const {
  std::vector<RegionPtr> out;
  for (auto it = Seek(start); it != by_key_.end(); ++it) {
    if (!end.empty() && (*it)->start() >= end) break;
    if (limit > 0 && static_cast<int64_t>(out.size()) >= limit) break;
    out.push_back(*it);
  }
  return out;
}

namespace {

bool ValidRanges(const std::vector<KeyRange>& ranges) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto& [start, end] = ranges[i];
    if (!end.empty() && start > end) return false;
    if (i > 0 && (ranges[i - 1].second.empty() || start < ranges[i - 1].second)) return false;
  }
  return true;
}

// OutOfRange unless the regions from `first` on cover [start, end) without a gap.
absl::Status CheckCover(const std::vector<RegionPtr>& regions, size_t first, const KeyRange& range,
                        bool cut_off) {
  std::string_view next = range.first;
  for (size_t i = first; i < regions.size(); ++i) {
    if (!regions[i]->Contains(next)) return OutOfRange("regions are not adjacent");
    next = regions[i]->end();
    if (next.empty()) return absl::OkStatus();
  }
  const bool covered = !range.second.empty() && next >= range.second;
  if (covered || cut_off) return absl::OkStatus();
  return OutOfRange("regions do not reach the end of the range");
}

}  // namespace

absl::StatusOr<std::vector<RegionPtr>> RegionTable::BatchScan(const std::vector<KeyRange>& ranges,
                                                              int64_t limit, bool whole) const {
  if (!ValidRanges(ranges)) return InvalidArgument("invalid key range");
  std::vector<RegionPtr> out;
  for (const KeyRange& range : ranges) {
    const int64_t left = limit > 0 ? limit - static_cast<int64_t>(out.size()) : 0;
    if (limit > 0 && left <= 0) break;
    const bool shared = !out.empty() && out.back()->Contains(range.first);
    // The region that the last range ended in may serve the start of this one too.
    const size_t first = shared ? out.size() - 1 : out.size();
    if (shared) out.pop_back();
    auto found = Scan(range.first, range.second, limit > 0 ? left + (shared ? 1 : 0) : 0);
    out.insert(out.end(), found.begin(), found.end());
    const bool cut_off = limit > 0 && static_cast<int64_t>(out.size()) >= limit;
    if (whole) RETURN_IF_ERROR(CheckCover(out, first, range, cut_off));
  }
  return out;
}

std::vector<KeyRange> RegionTable::Holes() const {
  std::vector<KeyRange> holes;
  std::string next;
  for (const RegionPtr& r : by_key_) {
    if (r->start() != next) holes.emplace_back(next, r->start());
    next = r->end();
    if (next.empty()) return holes;
  }
  holes.emplace_back(next, "");
  return holes;
}

const StoreRegions& RegionTable::OfStore(StoreId store) const {
  static const StoreRegions* const kNone = new StoreRegions;
  auto it = by_store_.find(store.value);
  return it == by_store_.end() ? *kNone : *it->second;
}

}  // namespace tikv::pd
