// What stores tell each other of themselves in every message: how full their disk is, and whether
// they are about to stop.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <string_view>

namespace tikv::server {

// As stores tell each other (disk_usage.DiskUsage) and as clients say what they may still write
// (kvrpcpb.DiskFullOpt): a command of level n is served up to usage n.
enum class DiskUsage : uint8_t {
  kNormal = 0,
  kAlmostFull = 1,   // Below the reserve: only what makes room is written.
  kAlreadyFull = 2,  // Below half of it.
};

// Of a RaftMessage's extra_ctx, as which the second travels.
inline constexpr std::string_view kLeavingMark = "leaving";

// Raft thread only.
class DiskTable {
 public:
  // A store that stops takes no leader; the placement driver may not know yet.
  bool leaving() const { return leaving_; }
  void SetLeaving() { leaving_ = true; }
  void HeardLeaving(uint64_t store, bool leaving) {
    if (leaving) {
      leaving_stores_.insert(store);
    } else if (!leaving_stores_.empty()) {
      leaving_stores_.erase(store);
    }
  }
  bool IsLeaving(uint64_t store) const { return leaving_stores_.contains(store); }

  DiskUsage own() const { return own_; }
  void SetOwn(DiskUsage usage) { own_ = usage; }
  void Heard(uint64_t store, DiskUsage usage) {
    if (usage != DiskUsage::kNormal) {
      others_[store] = usage;
    } else if (!others_.empty()) {
      others_.erase(store);
    }
  }
  DiskUsage Of(uint64_t store) const {
    const auto it = others_.find(store);
    return it == others_.end() ? DiskUsage::kNormal : it->second;
  }
  bool all_normal() const { return own_ == DiskUsage::kNormal && others_.empty(); }

 private:
  bool leaving_ = false;
  absl::flat_hash_set<uint64_t> leaving_stores_;
  DiskUsage own_ = DiskUsage::kNormal;
  absl::flat_hash_map<uint64_t, DiskUsage> others_;  // Only those that are not normal.
};

}  // namespace tikv::server
