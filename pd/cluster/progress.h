// How far stores that are being removed have been emptied, how fast, and how long it will take.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "lib/base/strong_id.h"

namespace tikv::pd {

// Of one store, or of all together.
struct Progress {
  double done = 0;  // 0..1
  double mib_per_second = 0;
  double left_seconds = 0;  // Without speed: the largest double there is, as the original has it.
};

// What was moved off one store by when.
struct RemovalHistory {
  struct Sample {
    int64_t at_ms;
    double moved_mib;
  };
  double whole_mib = 0;
  std::deque<Sample> samples;  // Of the last minutes.

  Progress Now() const;
};

// Fed by the leader while a store is on its way out.  What a store held when it was first seen
// counts as the whole, so a new leader begins at 0.  Pure; not thread-safe; Cluster guards it.
class RemovalProgress {
 public:
  // `held_mib`: what is still on the store.
  void Update(StoreId id, double held_mib, int64_t now_ms);
  // The store is back or gone.
  void Forget(StoreId id) { stores_.erase(id.value); }

  std::optional<Progress> Of(StoreId id) const;
  // The mean of all; the slowest store's time.
  std::optional<Progress> Overall() const;
  const std::map<uint64_t, RemovalHistory>& all() const { return stores_; }

 private:
  std::map<uint64_t, RemovalHistory> stores_;
};

}  // namespace tikv::pd
