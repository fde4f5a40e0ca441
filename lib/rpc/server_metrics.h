// What a server counts, for /metrics.
#pragma once

#include <cstdint>
#include <string>

#include "lib/metrics/metrics.h"

namespace tikv::rpc {

class Server;

// Has the registry show the server's statistics as <prefix>_..., as long as this object lives:
// gauges, bytes and requests each under a name of their own, whatever else happened as
// <prefix>_events_total{type="..."}.
class ServerMetrics {
 public:
  // Both must outlive this object.
  ServerMetrics(const Server* server, std::string prefix, metrics::Labels labels,
                metrics::Registry* registry);
  ~ServerMetrics();
  ServerMetrics(const ServerMetrics&) = delete;
  ServerMetrics& operator=(const ServerMetrics&) = delete;

 private:
  metrics::Registry* const registry_;
  const uint64_t collector_;
};

}  // namespace tikv::rpc
