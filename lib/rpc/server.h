// A gRPC server on nghttp2 and epoll.
//
//   Server server(options);
//   server.RegisterUnary("/tikvpb.Tikv/RawGet", [](UnaryCall& call, RawResponder responder) {...});
//   ASSIGN_OR_RETURN(int port, server.Listen("127.0.0.1:0"));
//   ...
//   server.Drain(std::chrono::seconds(5));   // Goes quietly; Stop() goes at once.
//
// Each connection belongs to one loop thread; handlers run there and must not block.  They answer
// at once or keep the responder and answer from any thread.  typed.h has the same over protobuf
// messages.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/callback.h"
#include "lib/rpc/metadata.h"
#include "lib/rpc/options.h"

namespace tikv::rpc {

class Call;  // One call on its connection; internal.

// Counted reference to a Call.
class CallRef {
 public:
  CallRef() = default;
  explicit CallRef(Call* call);  // Adds a reference.
  CallRef(const CallRef& other);
  CallRef(CallRef&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  CallRef& operator=(CallRef other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  ~CallRef();
  Call* get() const { return call_; }
  Call* operator->() const { return call_; }
  explicit operator bool() const { return call_ != nullptr; }

 private:
  Call* call_ = nullptr;
};

// What a handler may ask about its call.  A cheap copyable handle, valid after the call has ended.
// Thread-safe.
class CallContext {
 public:
  CallContext() = default;
  explicit CallContext(CallRef call) : call_(std::move(call)) {}

  std::string_view path() const;
  // "127.0.0.1:4711".
  std::string_view peer() const;
  // The first value of `key` (lower case).  "-bin" values come decoded.
  std::optional<std::string_view> Find(std::string_view key) const;
  Metadata metadata() const;
  std::optional<SteadyTime> deadline() const;
  // True once nobody waits for the answer: cancelled by the client, past its deadline, or the
  // connection is gone.  Never true for a call that was answered.
  bool cancelled() const;
  // Whether the message that the handler is being given came compressed.  On the loop only.
  bool message_compressed() const;
  // Counts a message that does not parse.
  void CountDecodeError() const;
  // Runs `task` once when the call becomes cancelled, on the connection's loop, or at once, here,
  // when it already is.  Replaces an earlier task.  Destroyed unrun when the call is answered.
  void OnCancel(Task task) const;

 private:
  CallRef call_;
};

// Answers one unary call, once, from any thread.  Dropped without an answer it answers INTERNAL, so
// that no client hangs.
class RawResponder {
 public:
  RawResponder() = default;
  explicit RawResponder(CallRef call) : call_(std::move(call)) {}
  RawResponder(RawResponder&&) noexcept = default;
  RawResponder& operator=(RawResponder&& other) noexcept;
  ~RawResponder();

  // `message` is the serialized message, without gRPC's prefix.
  void Reply(std::string message, Metadata trailers = {});
  // `message` starts with five bytes of room that the server fills with gRPC's prefix; see typed.h.
  void ReplyFramed(std::string message, Metadata trailers = {});
  // REQUIRES: !status.ok().
  void Fail(absl::Status status, Metadata trailers = {});

  const CallContext context() const { return CallContext(call_); }
  // Whether this responder can still answer.
  explicit operator bool() const { return static_cast<bool>(call_); }

 private:
  CallRef call_;
};

// A unary request; lives as long as the handler's invocation.
class UnaryCall {
 public:
  UnaryCall(CallRef call, std::string_view request, std::string* owned)
      : context_(std::move(call)), request_(request), owned_(owned) {}

  // Points into the receive buffer: valid until the handler returns.
  std::string_view request() const { return request_; }
  // The request to keep: moved when the server owns it, else copied.
  std::string TakeRequest();
  const CallContext& context() const { return context_; }

 private:
  CallContext context_;
  std::string_view request_;
  std::string* owned_;  // Not null when `request_` fills this string.
};

using UnaryHandler = std::function<void(UnaryCall& call, RawResponder responder)>;

// The sending side of a streaming call.  A cheap copyable handle; thread-safe; calls after the
// stream's end do nothing.  Messages sent by one thread keep their order.
class ServerStream {
 public:
  ServerStream() = default;
  explicit ServerStream(CallRef call) : call_(std::move(call)) {}

  // Queues one message.  False when the stream has ended or its output bound broke (which ends it).
  // The bound is far: who produces much watches pending_bytes() and StreamHandler::OnDrained().
  bool Send(std::string message) const;
  bool SendFramed(std::string framed) const;
  // Sends initial metadata ahead of the first message; only before it.
  void SendInitialMetadata(Metadata metadata) const;
  // Has what is sent from here on compressed, if the client accepts that.  For the first time
  // before the first message and the initial metadata, which have to announce it.
  void Compress(bool on) const;
  // Ends the stream after all queued messages.  Further calls are ignored.
  void Finish(absl::Status status, Metadata trailers = {}) const;

  // Bytes queued here that the connection has not yet taken.
  size_t pending_bytes() const;
  // Withholds credit from the client: no OnMessage (beyond what was already being delivered) until
  // Resume.
  void Pause() const;
  void Resume() const;

  CallContext context() const { return CallContext(call_); }
  explicit operator bool() const { return static_cast<bool>(call_); }

 private:
  CallRef call_;
};

// The receiving side of one streaming call (client, server or bidirectional streaming alike; a
// server-streaming method gets one OnMessage and then OnHalfClose).  Made by the factory, called on
// the connection's loop, destroyed there after OnClosed.  Must not block.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  // `message` is valid until it returns.
  virtual void OnMessage(std::string_view message) = 0;
  // The client will send no more.
  virtual void OnHalfClose() = 0;
  // pending_bytes() fell to zero after having been above zero.
  virtual void OnDrained() {}
  // The last call.  OK: finished by us and all sent.  Else why it broke: CANCELLED by the client or
  // with the connection, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ...
  virtual void OnClosed(const absl::Status& reason) = 0;
};

// Makes the handler of a new stream.  May already use `stream`; may return null after Finish.
using StreamFactory =
    std::function<std::unique_ptr<StreamHandler>(ServerStream stream, const CallContext& context)>;

// A connection that does not speak HTTP/2: the receiver owns `fd` and goes on after `bytes`.
struct HandedOver {
  int fd = -1;
  std::string bytes;
  std::string peer;
  bool tls = false;  // `bytes` is empty and the TLS handshake has not begun.
};

// See the top of the file.  Registration is for before Listen; everything else is thread-safe.
class Server {
 public:
  explicit Server(ServerOptions options);
  ~Server();  // Stops.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Unknown paths answer UNIMPLEMENTED.  A path may be registered again; the last one counts.
  void RegisterUnary(std::string path, UnaryHandler handler);
  void RegisterStream(std::string path, StreamFactory factory);
  // Takes connections that do not start with HTTP/2's preface (under TLS: those whose client does
  // not offer h2 alone).  Called on a loop thread.  Without it they are closed.
  void SetHttpHandler(std::function<void(HandedOver)> handler);

  // Starts serving on "host:port" ("[::1]:0", port 0: any); returns the port.  May be called for
  // several addresses.  Fails with a text that names the address: AlreadyExists when it is taken.
  absl::StatusOr<int> Listen(const std::string& address);

  // Stops accepting, tells clients to go elsewhere (GOAWAY in two steps), waits until their calls
  // have ended or `timeout` has passed, then stops.
  void Drain(std::chrono::milliseconds timeout);
  // Closes all connections and joins the loops.  Responders that are still held do nothing from
  // here on.  Idempotent.
  void Stop();

  const ServerStats& stats() const;
  // Whether the caller runs on one of the loops, where nothing may block.
  bool InLoopThread() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tikv::rpc
