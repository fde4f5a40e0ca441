// The running configuration as numbers, for dashboards that show limits beside figures.
#pragma once

#include <cstdint>

#include "lib/metrics/metrics.h"
#include "server/node/live_config.h"

namespace tikv::server {

// Registers a collector for as long as it lives; both must outlive it.
class ConfigMetrics {
 public:
  ConfigMetrics(LiveConfig* config, metrics::Registry* registry);
  ~ConfigMetrics();
  ConfigMetrics(const ConfigMetrics&) = delete;
  ConfigMetrics& operator=(const ConfigMetrics&) = delete;

 private:
  metrics::Registry* registry_;
  uint64_t id_;
};

}  // namespace tikv::server
