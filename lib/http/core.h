// The I/O thread of a server and what its connections share.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "lib/http/changed_files.h"
#include "lib/http/server.h"

namespace tikv::http {

// Seen by the server without regard to TLS.  All on the I/O thread.
class SessionBase {
 public:
  virtual ~SessionBase() = default;
  virtual void Close() = 0;
};

// Kept alive by every session and sink, so that late answers find an (idle) I/O context.
struct ServerCore {
  explicit ServerCore(ServerOptions o, const Router* r) : options(std::move(o)), router(r) {}

  const ServerOptions options;
  const Router* const router;
  boost::asio::io_context io{1};
  std::unique_ptr<boost::asio::ssl::context> tls;  // On the I/O thread, as the next.
  std::optional<ChangedFiles> tls_files;
  std::unordered_set<SessionBase*> sessions;  // On the I/O thread.
  bool closing = false;                       // Likewise.
};

// Takes up TLS files that were replaced, if they can be used.
void RefreshTls(ServerCore& core);

// Begins to serve `socket`; `bytes` were read from it already.
void StartSession(std::shared_ptr<ServerCore> core, boost::asio::ip::tcp::socket socket,
                  std::string bytes, std::string peer, bool tls);

}  // namespace tikv::http
