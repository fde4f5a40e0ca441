// What the driver needs of the world: PD and the stores.  Ports, so that the driver also runs in
// simulation.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <string_view>

#include "lib/base/callback.h"
#include "proto/metapb.pb.h"
#include "proto/tikvpb.pb.h"

namespace tikv::client {

// A region as PD tells it; leader.store_id() is 0 when PD knows none.
struct PdRegion {
  metapb::Region region;
  metapb::Peer leader;
};

// Thread-safe; never blocks; each callback runs once.
class PdAccess {
 public:
  virtual ~PdAccess() = default;
  // The region that holds `key` (as PD knows keys); with `before` the one just before it.
  // NotFound when PD knows none now.
  virtual void GetRegion(std::string key, bool before, Callback<absl::StatusOr<PdRegion>> done) = 0;
  // NotFound for an unknown store.
  virtual void GetStore(uint64_t id, Callback<absl::StatusOr<metapb::Store>> done) = 0;
};

// Thread-safe; never blocks; each callback runs once: with the reply, or with why there is none
// (Unavailable: not delivered or the connection broke; DeadlineExceeded).
class StoreTransport {
 public:
  using BatchRequest = tikvpb::BatchCommandsRequest::Request;
  using BatchResponse = tikvpb::BatchCommandsResponse::Response;

  virtual ~StoreTransport() = default;
  // One command inside the store's BatchCommands stream.
  virtual void Batched(const std::string& address, BatchRequest request,
                       std::chrono::milliseconds timeout,
                       Callback<absl::StatusOr<BatchResponse>> done) = 0;
  virtual void Unary(const std::string& address, std::string_view path, std::string request,
                     std::chrono::milliseconds timeout,
                     Callback<absl::StatusOr<std::string>> done) = 0;
};

}  // namespace tikv::client
