// How full the stores' disks are, as far as this store has heard.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>

namespace tikv::server {

// As stores tell each other (disk_usage.DiskUsage) and as clients say what they may still write
// (kvrpcpb.DiskFullOpt): a command of level n is served up to usage n.
enum class DiskUsage : uint8_t {
  kNormal = 0,
  kAlmostFull = 1,   // Below the reserve: only what makes room is written.
  kAlreadyFull = 2,  // Below half of it.
};

// Raft thread only.
class DiskTable {
 public:
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
  DiskUsage own_ = DiskUsage::kNormal;
  absl::flat_hash_map<uint64_t, DiskUsage> others_;  // Only those that are not normal.
};

}  // namespace tikv::server
