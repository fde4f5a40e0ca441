// Servers and channels over protobuf messages.
//
//   Unary<kvrpcpb::RawGetRequest, kvrpcpb::RawGetResponse>(
//       server, "/tikvpb.Tikv/RawGet",
//       [&](const kvrpcpb::RawGetRequest& request, const CallContext& context,
//           Responder<kvrpcpb::RawGetResponse> responder) { ... });
//
// A request that does not parse is answered INVALID_ARGUMENT (a stream is ended with it) without
// reaching the handler.
#pragma once

#include <google/protobuf/message_lite.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"

namespace tikv::rpc {

// Parses with a depth limit of 100.  InvalidArgument names `path` and the message type.
absl::Status ParseMessage(std::string_view bytes, std::string_view path,
                          google::protobuf::MessageLite* message);
// The bytes of `message`, after five bytes of room for gRPC's prefix; deterministic.
std::string SerializeFramed(const google::protobuf::MessageLite& message);
std::string SerializeBytes(const google::protobuf::MessageLite& message);

// RawResponder for messages; the same rules.
template <class Response>
class Responder {
 public:
  Responder() = default;
  explicit Responder(RawResponder raw) : raw_(std::move(raw)) {}

  void Reply(const Response& response, Metadata trailers = {}) {
    raw_.ReplyFramed(SerializeFramed(response), std::move(trailers));
  }
  void Fail(absl::Status status, Metadata trailers = {}) {
    raw_.Fail(std::move(status), std::move(trailers));
  }
  // For the outcome of StatusOr work.
  void Finish(const absl::StatusOr<Response>& result) {
    result.ok() ? Reply(*result) : Fail(result.status());
  }
  CallContext context() const { return raw_.context(); }
  explicit operator bool() const { return static_cast<bool>(raw_); }

 private:
  RawResponder raw_;
};

// Handler: void(const Request&, const CallContext&, Responder<Response>).
template <class Request, class Response, class Handler>
void Unary(Server& server, std::string path, Handler handler) {
  server.RegisterUnary(
      path, [path, handler = std::move(handler)](UnaryCall& call, RawResponder responder) mutable {
        Request request;
        if (absl::Status s = ParseMessage(call.request(), path, &request); !s.ok()) {
          call.context().CountDecodeError();
          responder.Fail(std::move(s));
          return;
        }
        handler(request, call.context(), Responder<Response>(std::move(responder)));
      });
}

// ServerStream for messages; the same rules.
template <class Response>
class TypedStream {
 public:
  TypedStream() = default;
  explicit TypedStream(ServerStream raw) : raw_(std::move(raw)) {}

  bool Send(const Response& response) const { return raw_.SendFramed(SerializeFramed(response)); }
  void Finish(absl::Status status, Metadata trailers = {}) const {
    raw_.Finish(std::move(status), std::move(trailers));
  }
  size_t pending_bytes() const { return raw_.pending_bytes(); }
  void Pause() const { raw_.Pause(); }
  void Resume() const { raw_.Resume(); }
  CallContext context() const { return raw_.context(); }
  const ServerStream& raw() const { return raw_; }
  explicit operator bool() const { return static_cast<bool>(raw_); }

 private:
  ServerStream raw_;
};

// StreamHandler for messages; the same rules.
template <class Request>
class TypedStreamHandler {
 public:
  virtual ~TypedStreamHandler() = default;
  virtual void OnMessage(const Request& message) = 0;
  virtual void OnHalfClose() = 0;
  virtual void OnDrained() {}
  virtual void OnClosed(const absl::Status& reason) = 0;
};

namespace internal {

// Parses what the typed handler is given.
template <class Request>
class TypedStreamAdapter : public StreamHandler {
 public:
  TypedStreamAdapter(ServerStream stream, std::unique_ptr<TypedStreamHandler<Request>> handler)
      : stream_(std::move(stream)), handler_(std::move(handler)) {}

  void OnMessage(std::string_view bytes) override {
    request_.Clear();
    absl::Status s = ParseMessage(bytes, stream_.context().path(), &request_);
    if (s.ok()) return handler_->OnMessage(request_);
    stream_.context().CountDecodeError();
    failed_ = s;
    stream_.Finish(std::move(s));
  }
  void OnHalfClose() override { handler_->OnHalfClose(); }
  void OnDrained() override { handler_->OnDrained(); }
  void OnClosed(const absl::Status& reason) override {
    handler_->OnClosed(reason.ok() ? failed_ : reason);
  }

 private:
  ServerStream stream_;
  absl::Status failed_;  // A message that did not parse.
  std::unique_ptr<TypedStreamHandler<Request>> handler_;
  Request request_;  // Reused: its allocations are worth keeping.
};

}  // namespace internal

// Factory: unique_ptr<TypedStreamHandler<Request>>(TypedStream<Response>, const CallContext&).
template <class Request, class Response, class Factory>
void Stream(Server& server, std::string path, Factory factory) {
  server.RegisterStream(std::move(path),
                        [factory = std::move(factory)](
                            ServerStream stream,
                            const CallContext& context) mutable -> std::unique_ptr<StreamHandler> {
                          std::unique_ptr<TypedStreamHandler<Request>> handler =
                              factory(TypedStream<Response>(stream), context);
                          if (handler == nullptr) return nullptr;
                          return std::make_unique<internal::TypedStreamAdapter<Request>>(
                              std::move(stream), std::move(handler));
                        });
}

// Calls a unary method.  An answer that does not parse is INTERNAL.
template <class Response>
std::shared_ptr<ClientCall> CallUnary(Channel& channel, std::string_view path,
                                      const google::protobuf::MessageLite& request,
                                      CallOptions options,
                                      Callback<absl::StatusOr<Response>> done) {
  return channel.Unary(path, SerializeBytes(request), std::move(options),
                       [path = std::string(path),
                        done = std::move(done)](absl::StatusOr<std::string> bytes) mutable {
                         if (!bytes.ok()) return std::move(done)(bytes.status());
                         absl::StatusOr<Response> response = Response();
                         absl::Status s = ParseMessage(*bytes, path, &*response);
                         if (!s.ok()) response = absl::InternalError(s.message());
                         std::move(done)(std::move(response));
                       });
}

// As CallUnary, and waits.  Never on a loop, completion or raft thread.
template <class Response>
absl::StatusOr<Response> CallUnaryAndWait(Channel& channel, std::string_view path,
                                          const google::protobuf::MessageLite& request,
                                          CallOptions options) {
  absl::StatusOr<std::string> bytes =
      channel.UnaryAndWait(path, SerializeBytes(request), std::move(options));
  if (!bytes.ok()) return bytes.status();
  Response response;
  absl::Status s = ParseMessage(*bytes, path, &response);
  if (!s.ok()) return absl::InternalError(s.message());
  return response;
}

}  // namespace tikv::rpc
