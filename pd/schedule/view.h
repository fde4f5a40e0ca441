// What schedulers and checkers see of the cluster.
#pragma once

#include <cstdint>
#include <functional>

#include "pd/core/config.h"
#include "pd/core/region_table.h"
#include "pd/core/store.h"

namespace tikv {
class Random;
}

namespace tikv::pd {

// The state at one moment, by reference: valid only while its owner keeps it still.
struct ClusterView {
  const RegionTable& regions;
  const StoreTable& stores;
  const Config& config;
  int64_t now_ms = 0;
  Random* random = nullptr;
  // A fresh peer id, or 0 when none can be had just now: then no operator is made this time.
  std::function<uint64_t()> new_id;
};

}  // namespace tikv::pd
