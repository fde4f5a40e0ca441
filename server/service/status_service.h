// The status address: state, configuration, metrics and profiles over HTTP, for operators.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>

#include "lib/base/callback.h"
#include "lib/env/executor.h"
#include "lib/http/router.h"
#include "lib/log/logger.h"
#include "lib/metrics/metrics.h"
#include "server/port/region_admin.h"

namespace tikv::server {

// The running configuration, as the status address shows and changes it.  Thread-safe.
class ConfigAccess {
 public:
  virtual ~ConfigAccess() = default;
  // All sections as JSON.
  virtual std::string Json() = 0;
  // `changes`: a JSON object of "section.key": value.  All are applied, or none and InvalidArgument
  // with the reason.  `persist`: also into the configuration file, where there is one.
  virtual absl::Status Change(std::string_view changes, bool persist) = 0;
  // Reads the configuration file again and applies what may change online.
  virtual absl::Status Reload() = 0;
};

// What StatusService shows; all must outlive it.
struct StatusDependencies {
  ConfigAccess* config = nullptr;
  metrics::Registry* metrics = nullptr;
  RegionAdmin* admin = nullptr;
  TaskRunner* background = nullptr;  // May block.
  log::Logger log;
  std::function<bool()> connected_to_pd;
  std::function<bool()> serving;
  // Profiles for pprof.  The CPU profile lasts `seconds` and is answered when it is over; only one
  // runs at a time (Unavailable).
  std::function<void(int seconds, int hertz, Callback<absl::StatusOr<std::string>>)> cpu_profile;
  std::function<absl::StatusOr<std::string>()> heap_profile;
  std::string command_line;  // Arguments separated by NUL.
};

// Fills a router.  Must outlive the HTTP server that uses it.
class StatusService {
 public:
  explicit StatusService(StatusDependencies deps) : deps_(std::move(deps)) {}
  void Register(http::Router* router);

 private:
  void RegisterState(http::Router* router);
  void RegisterConfig(http::Router* router);
  void RegisterProfiles(http::Router* router);
  void Region(const http::Request& request, http::Responder responder);
  http::Response Ready(bool verbose) const;
  http::Response SetLogLevel(const http::Request& request);

  const StatusDependencies deps_;
};

}  // namespace tikv::server
