// What lib/rpc's server counts, for /metrics.
#pragma once

#include <cstdint>

#include "lib/metrics/metrics.h"

namespace tikv::rpc {
class Server;
}

namespace tikv::server {

// Registers a collector for as long as it lives; server and registry must outlive it.
class RpcMetrics {
 public:
  RpcMetrics(const rpc::Server* server, metrics::Registry* registry);
  ~RpcMetrics();
  RpcMetrics(const RpcMetrics&) = delete;
  RpcMetrics& operator=(const RpcMetrics&) = delete;

 private:
  metrics::Registry* registry_;
  uint64_t id_;
};

}  // namespace tikv::server
