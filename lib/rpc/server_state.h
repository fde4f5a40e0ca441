// What the loops, connections and calls of one server share.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/rpc/call.h"
#include "lib/rpc/flooders.h"
#include "lib/rpc/server.h"
#include "lib/rpc/tls_source.h"

namespace tikv::rpc {

// Lets the method table be searched by string_view.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
};

// Shared by pointer with everything of the server; fields say who may touch them.
struct ServerState {
  explicit ServerState(ServerOptions o) : options(std::move(o)) {}

  const ServerOptions options;
  ServerStats stats;
  std::atomic<uint64_t> abandoned{0};      // Calls at work whose stream is gone.
  std::atomic<uint64_t> granted_bytes{0};  // Promised to messages larger than their window.

  // Fixed before Listen.
  std::unordered_map<std::string, Method, StringHash, std::equal_to<>> methods;
  std::function<void(HandedOver)> http_handler;
  std::unique_ptr<TlsSource> tls;  // Null: plain text.

  Flooders flooders;

  std::mutex mutex;
  std::unordered_map<std::string, size_t> connections_by_peer;  // Guarded by mutex; by IP.

  const Method* Find(std::string_view path) const {
    auto it = methods.find(path);
    return it == methods.end() ? nullptr : &it->second;
  }
};

}  // namespace tikv::rpc
