// All regions of the cluster, by key, by id and by store.
#pragma once

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pd/core/region.h"

namespace tikv::pd {

// A set of region ids with random access, so that schedulers can draw one in constant time.
class RegionIdSet {
 public:
  void Insert(uint64_t id);
  void Erase(uint64_t id);
  bool Contains(uint64_t id) const { return position_.contains(id); }
  size_t size() const { return ids_.size(); }
  const std::vector<uint64_t>& ids() const { return ids_; }

 private:
  std::vector<uint64_t> ids_;
  absl::flat_hash_map<uint64_t, uint32_t> position_;
};

// What one store holds.  Sizes in MiB.
struct StoreRegions {
  RegionIdSet leaders, followers, learners, pending;
  uint64_t leader_size_mib = 0;
  uint64_t region_size_mib = 0;  // Of all its peers.
  size_t region_count() const { return leaders.size() + followers.size() + learners.size(); }
};

// [start, end) without a region; "" as end means no bound.
using KeyRange = std::pair<std::string, std::string>;

// Invariants: no two regions overlap; the id map, the key order and the store indexes hold the
// same regions.  Not thread-safe; Cluster guards it.  The regions it hands out are immutable and
// may be kept.
class RegionTable {
 public:
  // What a heartbeat changed.
  struct Change {
    bool meta_changed = false;  // Epoch, range or peers: worth writing to disk.
    bool leader_changed = false;
    std::vector<RegionPtr> removed;  // Older regions that the new one overlapped.
  };

  // FailedPrecondition "region is stale: ..." when a cached region that it overlaps is newer, when
  // its epoch went back, or when a deposed leader (lower term, same epoch) sent it.
  absl::Status Check(const RegionInfo& region) const;
  // Stores it without checking.  Unknown sizes are taken over from the region's predecessor.
  Change Put(std::shared_ptr<RegionInfo> region);
  // nullptr when it was not there.
  RegionPtr Remove(RegionId id);
  void Clear();

  RegionPtr ById(RegionId id) const;
  RegionPtr ByKey(std::string_view key) const;
  // The region that ends where the region of `key` starts.
  RegionPtr Prev(std::string_view key) const;
  RegionPtr Next(const RegionInfo& region) const;
  // In key order those that intersect [start, end), at most `limit` (<= 0: all).
  std::vector<RegionPtr> Scan(std::string_view start, std::string_view end, int64_t limit) const;
  // Several ranges in order, each region once; the limit counts over all.  InvalidArgument
  // "invalid key range"; OutOfRange when `whole` and some key of a range has no region.
  absl::StatusOr<std::vector<RegionPtr>> BatchScan(const std::vector<KeyRange>& ranges,
                                                   int64_t limit, bool whole) const;
  std::vector<KeyRange> Holes() const;

  size_t size() const { return by_id_.size(); }
  uint64_t average_size_mib() const { return size() == 0 ? 0 : total_size_mib_ / size(); }
  uint64_t total_size_mib() const { return total_size_mib_; }
  // Regions that a heartbeat has reported, against all that are known.
  size_t reported() const { return reported_; }
  // An empty entry for a store without regions.
  const StoreRegions& OfStore(StoreId store) const;
  template <class F>
  void ForEach(F f) const {
    for (const RegionPtr& r : by_key_) f(r);
  }

 private:
  struct ByStart {
    using is_transparent = void;
    static std::string_view Key(const RegionPtr& r) { return r->start(); }
    static std::string_view Key(std::string_view k) { return k; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return Key(a) < Key(b);
    }
  };
  using Ordered = absl::btree_set<RegionPtr, ByStart>;

  // The first region that ends above `key`.
  Ordered::const_iterator Seek(std::string_view key) const;
  std::vector<RegionPtr> Overlapping(const RegionInfo& region) const;
  void Index(const RegionInfo& region, int sign);
  void Reindex(const RegionInfo& before, const RegionInfo& after);

  Ordered by_key_;
  absl::flat_hash_map<uint64_t, RegionPtr> by_id_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<StoreRegions>> by_store_;
  uint64_t total_size_mib_ = 0;
  size_t reported_ = 0;
};

}  // namespace tikv::pd
