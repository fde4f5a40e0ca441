// An HTTP/1.1 server on Boost.Beast with one I/O thread of its own.
//
//   Router router;  router.Handle("GET", "/status", ...);
//   Server server(options, &router);
//   server.Listen("127.0.0.1:20180");          // Its own port, and / or
//   server.Adopt(fd, bytes, peer);              // connections that lib/rpc handed over.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/http/router.h"

namespace tikv::http {

// PEM files; with a CA file clients must present a certificate that it signed and, when
// `allowed_names` is not empty, whose common name is in the list.  Replaced files are taken up by
// connections that come later; ones that do not load leave the old ones in use.
struct TlsFiles {
  std::string ca_path;
  std::string cert_path;
  std::string key_path;
  std::vector<std::string> allowed_names;
  bool enabled() const { return !cert_path.empty(); }
};

// What a server may be told; every bound ends in a status code or a closed connection.
struct ServerOptions {
  std::string thread_name = "http-server";
  TlsFiles tls;
  size_t max_header_bytes = 8 << 10;     // Above: 431.
  size_t max_body_bytes = 16 << 20;      // Above: 413.
  size_t max_pending_bytes = 256 << 20;  // A streamed body whose peer does not read is cut.
  size_t max_connections = 4096;
  std::chrono::seconds header_timeout{10};
  std::chrono::seconds body_timeout{30};   // For the whole body.
  std::chrono::seconds write_timeout{30};  // Without progress.
  std::chrono::seconds idle_timeout{120};  // Between requests.
};

// Thread-safe.  The router must outlive it and be complete before the first connection.
class Server {
 public:
  Server(ServerOptions options, const Router* router);
  ~Server();  // Stops.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Starts serving on "host:port"; returns the port.  AlreadyExists when it is taken.
  absl::StatusOr<int> Listen(const std::string& address);
  // Serves a connected socket, which it owns from now on, after the `bytes` read from it so far.
  void Adopt(int fd, std::string bytes, std::string peer, bool tls = false);
  // Closes all connections and joins the thread.  Responders still held do nothing from here on.
  void Stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace tikv::http
