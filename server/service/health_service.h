// grpc.health.v1.Health: whether this store serves.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "lib/rpc/typed.h"
#include "proto/health.pb.h"

namespace tikv::server {

// Knows one service, "" (the whole store).  Thread-safe; must outlive the server it registers
// with.  NOT_SERVING until told otherwise.
class HealthService {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  void Register(rpc::Server* server);
  // Watchers hear of it at once.
  void SetServing(bool serving);

 private:
  using Response = grpc::health::v1::HealthCheckResponse;
  class Watcher;

  uint64_t AddWatcher(rpc::TypedStream<Response> stream);
  void RemoveWatcher(uint64_t id);

  std::mutex mutex_;
  // Guarded by mutex_.
  Status status_ = Response::NOT_SERVING;
  uint64_t next_watcher_ = 0;
  std::map<uint64_t, rpc::TypedStream<Response>> watchers_;
};

}  // namespace tikv::server
