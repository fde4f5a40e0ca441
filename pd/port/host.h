// What a running pd-server offers to the services plugged into it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace tikv {
class Clock;
class Executor;
class FileSystem;
class TaskRunner;
}  // namespace tikv
namespace tikv::pd::meta {
class MetaStore;
}
namespace tikv::pd::tso {
class Tso;
}

namespace tikv::pd {

// Built by pd/node before any service; everything here outlives them all.  A service folder
// exports one function or class that takes a Host and the server to register with:
//   pd/service/grpc: registers pdpb.PD, Keyspace, MetaStorage, ... on the gRPC server
//   pd/service/http: registers the /pd/api routes on the HTTP router
// pd/service/tso (Tso stream), pd/service/etcd (etcd v3, /version, /health, /v3) and the gRPC
// health service are registered by pd/node itself.
struct Host {
  Clock* clock = nullptr;
  FileSystem* fs = nullptr;
  meta::MetaStore* meta = nullptr;
  tso::Tso* tso = nullptr;
  Executor* executor = nullptr;  // A strand for PD's state (regions, schedulers): core's own.
  TaskRunner* pool = nullptr;    // For work that may block: disk, other members' HTTP.
  std::string data_dir;
  std::string config_text;  // The configuration file as read; "" without one.
  // What this member runs with, as JSON: names, addresses, files, timing.
  std::string process_config = "{}";
  // What the services report to clients that gate features on it, and our own.
  std::string reported_version;  // "v8.5.4"
  std::string own_version;
  int64_t start_time_seconds = 0;  // Unix time of the start of this process.
  // Tells whoever runs the server of something to look at; may be empty.  From any thread.
  std::function<void(std::string_view what, std::string_view why)> report;
};

}  // namespace tikv::pd
