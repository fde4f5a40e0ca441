// A simple HTTP/1.1 client: one connection per request.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <string>

#include "lib/base/callback.h"
#include "lib/http/message.h"

namespace tikv::http {

// What all requests of a client share.
struct ClientOptions {
  std::string ca_path;  // https: whom to trust; empty: the system's store.
  std::string cert_path;
  std::string key_path;
  size_t max_body_bytes = 256 << 20;
};

// One request; a plain value.
struct ClientRequest {
  std::string method = "GET";
  std::string url;  // "http://127.0.0.1:2379/pd/api/v1/stores"; https too.
  Headers headers;
  std::string body;
  std::chrono::milliseconds timeout{5'000};  // For all of it.
};

// Thread-safe.  One I/O thread, started by the first asynchronous request.
class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();  // Cancels what is under way and waits for the callbacks.
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Any complete response is OK here, whatever its status code.  DeadlineExceeded, Unavailable
  // (connect, reset), InvalidArgument (URL), ResourceExhausted (body over the bound).
  absl::StatusOr<Response> Fetch(ClientRequest request);
  // As Fetch, without waiting; `done` runs on the I/O thread.
  void FetchAsync(ClientRequest request, Callback<absl::StatusOr<Response>> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace tikv::http
