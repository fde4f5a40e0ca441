// PD's REST API, probes and metrics on one router.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace tikv::http {
class Client;
class Router;
}  // namespace tikv::http
namespace tikv::metrics {
class Registry;
}

namespace tikv::pd {

class Cluster;

// What the routes use; everything must outlive the router.
struct HttpContext {
  Cluster* cluster = nullptr;
  http::Client* client = nullptr;         // Reaches the other members.
  metrics::Registry* registry = nullptr;  // Null: no /metrics here.
  // Applies a log level ("debug" ... "fatal"); empty: the level cannot change.
  std::function<void(const std::string& level)> set_log_level;
};

// Holds what the routes share; must outlive the router.
class HttpServices {
 public:
  virtual ~HttpServices() = default;
};

// Registers /pd/api/v1, /pd/api/v2, /pd/health, /pd/ping and /metrics, and the answer to unknown
// paths.  Before the server starts.  etcd's own paths are registered elsewhere.
std::unique_ptr<HttpServices> RegisterHttpRoutes(const HttpContext& context, http::Router* router);

}  // namespace tikv::pd
