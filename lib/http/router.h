// Which handler answers which method and path.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http/message.h"

namespace tikv::http {

// The sending side of a response whose body comes in pieces.  Thread-safe, copyable.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // False when the peer is gone.  Who produces much watches pending_bytes().
  virtual bool Write(std::string piece) = 0;
  virtual void Finish() = 0;
  virtual size_t pending_bytes() const = 0;
};

// Where a Responder delivers; implemented by the server's connections.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  virtual void Send(Response response) = 0;
  virtual std::shared_ptr<BodyStream> StartStream(int status, Headers headers) = 0;
};

// Answers one request, once, from any thread.  Dropped without an answer it sends 500.
class Responder {
 public:
  explicit Responder(std::shared_ptr<ResponseSink> sink) : sink_(std::move(sink)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) = delete;
  ~Responder() {
    if (sink_ != nullptr) sink_->Send(Response::Text(500, "the request was dropped\n"));
  }

  void Send(Response response) { std::exchange(sink_, nullptr)->Send(std::move(response)); }
  // Sends the head now and the body in chunks.
  std::shared_ptr<BodyStream> StartStream(int status, Headers headers) {
    return std::exchange(sink_, nullptr)->StartStream(status, std::move(headers));
  }

 private:
  std::shared_ptr<ResponseSink> sink_;
};

// Runs on the server's I/O thread: must not block; hand long work to an executor.
using Handler = std::function<void(Request request, Responder responder)>;

// Routes by method and pattern: "/pd/api/v1/store/{id}/label"; a last part "{name...}" takes the
// rest of the path.  Literal parts win over {name}, both over {name...}.  An unknown path answers
// 404, a known path with another method 405 with Allow.  HEAD falls back to GET.  Filled before the
// server starts, then only read.
class Router {
 public:
  Router();
  ~Router();

  // Method "*" takes every method that has no handler of its own.
  void Handle(std::string_view method, std::string_view pattern, Handler handler);
  // Instead of 404.
  void HandleRest(Handler handler);
  // Sees each request first; true: it has taken the responder over (redirect to a leader, ...).
  using Interceptor = std::function<bool(Request& request, std::unique_ptr<Responder>& responder)>;
  void Intercept(Interceptor interceptor);

  // Fills path, query and params and calls the handler.  REQUIRES: method and target are set.
  void Route(Request request, Responder responder) const;

 private:
  struct Node;
  struct Entry;
  const std::vector<Entry>* Match(const Node& node, const std::vector<std::string_view>& parts,
                                  size_t at, std::vector<std::string_view>* captured) const;
  void Dispatch(Request request, Responder responder) const;

  std::unique_ptr<Node> root_;
  Handler rest_;
  Interceptor interceptor_;
};

}  // namespace tikv::http
