// etcd v3 on PD's client port: gRPC services, JSON gateway, /version and /health.
#pragma once

#include <memory>
#include <string>

#include "lib/env/executor.h"

namespace tikv::http {
class Router;
}
namespace tikv::rpc {
class Server;
}
namespace tikv::pd::meta {
class ReplicatedStore;
}

namespace tikv::pd::etcd {

// Holds what the services share; must outlive both servers.
class EtcdServices {
 public:
  virtual ~EtcdServices() = default;
};

// What the services work with; all outlive them.
struct EtcdOptions {
  meta::ReplicatedStore* store = nullptr;
  Executor* strand = nullptr;        // The replica's.
  Executor* watch_strand = nullptr;  // Of the watches.
  TaskRunner* pool = nullptr;
  std::string version = "3.5.15";  // Of etcd, as clients see it.
  uint64_t seed = 0;
};

// Before the servers start.
std::unique_ptr<EtcdServices> RegisterEtcdServices(const EtcdOptions& options, rpc::Server* server,
                                                   http::Router* router);

}  // namespace tikv::pd::etcd
