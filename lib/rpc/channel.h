// Outgoing gRPC calls, on gRPC C++ inside.
//
//   ChannelPool pool(options);                       // One per process: one completion thread.
//   std::shared_ptr<Channel> channel = pool.Get("127.0.0.1:20160");
//   channel->Unary("/tikvpb.Tikv/RawGet", bytes, {.timeout = 2s}, [](absl::StatusOr<std::string>)
//   {});
//
// typed.h has the same over protobuf messages.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/callback.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/options.h"

namespace tikv {
class TaskRunner;  // lib/env/executor.h
}

namespace tikv::rpc {

struct ChannelState;  // Internal.

// How one call is made.
struct CallOptions {
  // Zero: no deadline.
  std::chrono::milliseconds timeout{0};
  Metadata metadata;
  // Waits for a connection until the deadline instead of failing with UNAVAILABLE.
  bool wait_for_ready = false;
  // Where callbacks run; null: on the pool's completion thread, where nothing may block.  Must
  // outlive the call.
  TaskRunner* runner = nullptr;
};

// A unary call under way.  Thread-safe.
class ClientCall {
 public:
  virtual ~ClientCall() = default;  // Does not cancel.
  // The callback still runs, with CANCELLED unless the answer was faster.
  virtual void Cancel() = 0;
};

// The receiving side of an outgoing stream.  Calls come one at a time, on the completion thread or
// on CallOptions::runner.
class ClientStreamHandler {
 public:
  virtual ~ClientStreamHandler() = default;
  virtual void OnMessage(std::string_view message) = 0;  // Valid until it returns.
  // Bytes queued by Send fell to zero.
  virtual void OnDrained() {}
  // The last call; `status` is the server's, or why the stream broke.  OK included.
  virtual void OnClosed(const absl::Status& status) = 0;
};

// The sending side of an outgoing stream.  Thread-safe.  Dropping the last reference cancels.
class ClientStream {
 public:
  virtual ~ClientStream() = default;

  // Queues one message.  False, without effect, when the queue is over its bound or the stream has
  // ended.
  virtual bool Send(std::string message) = 0;
  // No more messages from us.
  virtual void HalfClose() = 0;
  // OnClosed follows.
  virtual void Cancel() = 0;
  virtual size_t pending_bytes() const = 0;
};

// What a stream has beyond its call.
struct StreamOptions {
  // Send refuses when this much waits; one message may always wait.
  size_t max_pending_bytes = size_t{64} << 20;
};

// One address, connected lazily and again after failures.  Thread-safe; must not outlive its pool.
class Channel {
 public:
  explicit Channel(std::shared_ptr<ChannelState> state, std::string address);
  ~Channel();

  const std::string& address() const { return address_; }

  // Calls `done` exactly once.  The result may be ignored.
  std::shared_ptr<ClientCall> Unary(std::string_view path, std::string request, CallOptions options,
                                    Callback<absl::StatusOr<std::string>> done);
  // As Unary, and waits.  Never on a loop, completion or raft thread.
  absl::StatusOr<std::string> UnaryAndWait(std::string_view path, std::string request,
                                           CallOptions options);
  // Opens a stream of any kind; `handler` lives until after OnClosed.
  std::shared_ptr<ClientStream> OpenStream(std::string_view path, CallOptions options,
                                           std::unique_ptr<ClientStreamHandler> handler,
                                           StreamOptions stream_options = {});
  // Forgets reconnect backoff, for example when the peer is known to be back.
  void ResetBackoff();
  // Whether the connection is up.
  bool IsReady() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string address_;
};

// What all channels of a pool share.
struct ChannelPoolOptions {
  TlsFiles tls;
  std::string thread_name = "grpc-client";
  std::chrono::milliseconds keepalive_interval{10'000};
  std::chrono::milliseconds keepalive_timeout{3'000};
  std::chrono::milliseconds connect_timeout{2'000};
  std::chrono::milliseconds initial_backoff{100};
  std::chrono::milliseconds max_backoff{3'000};
};

// Channels by address.  Thread-safe.  Its destructor cancels what is under way, waits for the
// callbacks and joins the completion thread.
class ChannelPool {
 public:
  explicit ChannelPool(ChannelPoolOptions options = {});
  ~ChannelPool();
  ChannelPool(const ChannelPool&) = delete;
  ChannelPool& operator=(const ChannelPool&) = delete;

  // `address`: "host:port", or a URL whose scheme is ignored.
  std::shared_ptr<Channel> Get(std::string_view address);
  // Forgets a channel; calls under way go on.
  void Remove(std::string_view address);

 private:
  std::shared_ptr<ChannelState> state_;
};

}  // namespace tikv::rpc
