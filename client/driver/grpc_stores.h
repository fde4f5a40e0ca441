// StoreTransport over gRPC.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/driver/batch_stream.h"
#include "client/driver/ports.h"
#include "lib/env/executor.h"
#include "lib/rpc/channel.h"

namespace tikv::client {

// Thread-safe.  The pools (one connection to each store per pool), the strand and the clock must
// outlive it.
class GrpcStores final : public StoreTransport {
 public:
  GrpcStores(std::vector<rpc::ChannelPool*> pools, Executor* timers, Clock* clock);
  ~GrpcStores() override { Close(); }

  // Ends what is under way in streams with Cancelled, and every later call.  Idempotent.
  void Close();

  void Batched(const std::string& address, BatchRequest request, std::chrono::milliseconds timeout,
               Callback<absl::StatusOr<BatchResponse>> done) override;
  void Unary(const std::string& address, std::string_view path, std::string request,
             std::chrono::milliseconds timeout,
             Callback<absl::StatusOr<std::string>> done) override;

 private:
  struct Store {
    std::vector<std::shared_ptr<BatchStream>> streams;  // One per pool.
    size_t next = 0;
  };
  struct Shared;  // What the expiry timer sees, so that it may outlive this object.

  // Null once closed.
  std::shared_ptr<BatchStream> Stream(const std::string& address);
  static void ExpireLater(std::shared_ptr<Shared> shared, Executor* timers);

  std::vector<rpc::ChannelPool*> pools_;
  Clock* clock_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace tikv::client
