// RegionView: the right to read one region, granted by its replica after all checks.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/strong_id.h"
#include "lib/engine/engine.h"
#include "server/port/region_error.h"

namespace tikv::server {

// A region as readers need it; immutable.  Keys are user keys.
struct RegionRange {
  RegionId id;
  PeerId peer;
  std::string start;
  std::string end;  // "" = no bound.
  uint64_t conf_ver = 0;
  uint64_t version = 0;
  uint64_t term = 0;
  // Turns false, for good, before anything about the region changes that a reader must not miss
  // (range, leadership, data deleted).
  mutable std::atomic<bool> current{true};
};

// kDirect reads the live engine: no snapshot, for one point read, which counts only when
// StillCurrent() is true afterwards (else ask again through AsyncRead).  kSnapshot reads one
// moment: for scans and several keys.
enum class ReadMode : uint8_t { kDirect, kSnapshot };

// Movable; one thread at a time.  Must not outlive the store.  Keys are user keys; nothing outside
// the region can be seen.
class RegionView {
 public:
  RegionView() = default;
  RegionView(std::shared_ptr<const RegionRange> region, const engine::Reader* reader,
             std::shared_ptr<const engine::Snapshot> snapshot)
      : region_(std::move(region)), reader_(reader), snapshot_(std::move(snapshot)) {}

  const RegionRange& region() const { return *region_; }
  // The term whose leader (or read index) granted the view; for WriteCommand::expected_term.
  uint64_t term() const { return region_->term; }
  bool Contains(std::string_view key) const;
  RegionError KeyNotInRegion(std::string_view key) const;

  bool StillCurrent() const {
    if (snapshot_ != nullptr) return true;
    // What was read before must not be read after the flag; the other half is in Peer::EndLease.
    std::atomic_thread_fence(std::memory_order_acquire);
    return region_->current.load(std::memory_order_relaxed);
  }

  // REQUIRES: Contains(key).  False when there is no such key.
  absl::StatusOr<bool> Get(engine::Cf cf, std::string_view key, engine::PinnedValue* value,
                           const engine::ReadOptions& options = {}) const;

  // Iterates over [lower, upper) within the region ("" = the region's bound).  Its keys are data
  // keys ('z' + key); seek targets too (server/codec/keys.h).
  std::unique_ptr<engine::Iterator> NewIterator(engine::Cf cf, std::string_view lower,
                                                std::string_view upper,
                                                const engine::ReadOptions& options = {}) const;

 private:
  std::shared_ptr<const RegionRange> region_;
  const engine::Reader* reader_ = nullptr;
  std::shared_ptr<const engine::Snapshot> snapshot_;  // What `reader_` is, or null in kDirect.
};

}  // namespace tikv::server
