#include "lib/http/server.h"

#include <pthread.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "lib/base/status.h"
#include "lib/http/core.h"

namespace tikv::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Error = boost::system::error_code;

// No SHA-1 signatures, no RSA keys below 2048 bits.
constexpr int kSecurityLevel = 2;
// Out of file descriptors: try again a little later.
constexpr std::chrono::milliseconds kAcceptRetry{100};

// Accepts until the socket is closed.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(std::shared_ptr<ServerCore> core, tcp::acceptor socket)
      : core_(std::move(core)), socket_(std::move(socket)), retry_(core_->io) {}

  void Accept() {
    socket_.async_accept([self = shared_from_this()](Error error, tcp::socket socket) {
      self->OnAccept(error, std::move(socket));
    });
  }
  void Close() {
    Error ignored;
    socket_.close(ignored);
    retry_.cancel();
  }

 private:
  void OnAccept(Error error, tcp::socket socket) {
    if (!socket_.is_open()) return;
    if (error) {
      retry_.expires_after(kAcceptRetry);
      retry_.async_wait([self = shared_from_this()](Error e) {
        if (!e && self->socket_.is_open()) self->Accept();
      });
      return;
    }
    Error failed;
    tcp::endpoint from = socket.remote_endpoint(failed);
    if (!failed) {
      std::string peer = fmt::format("{}:{}", from.address().to_string(), from.port());
      StartSession(core_, std::move(socket), {}, std::move(peer), core_->options.tls.enabled());
    }
    Accept();
  }

  std::shared_ptr<ServerCore> core_;
  tcp::acceptor socket_;
  asio::steady_timer retry_;
};

absl::StatusOr<std::unique_ptr<asio::ssl::context>> LoadTls(const TlsFiles& files) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  Error error;
  context->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  SSL_CTX_set_security_level(context->native_handle(), kSecurityLevel);
  context->use_certificate_chain_file(files.cert_path, error);
  if (error) return InvalidArgument("certificate {}: {}", files.cert_path, error.message());
  context->use_private_key_file(files.key_path, asio::ssl::context::pem, error);
  if (error) return InvalidArgument("private key {}: {}", files.key_path, error.message());
  if (files.ca_path.empty()) return context;
  context->load_verify_file(files.ca_path, error);
  if (error) return InvalidArgument("CA certificate {}: {}", files.ca_path, error.message());
  context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
  return context;
}

absl::StatusOr<tcp::endpoint> Resolve(asio::io_context& io, const std::string& address) {
  size_t colon = address.rfind(':');
  if (colon == std::string::npos) return InvalidArgument("address {}: expected host:port", address);
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) host = "0.0.0.0";
  Error error;
  auto found =
      tcp::resolver(io).resolve(host, address.substr(colon + 1), tcp::resolver::passive, error);
  if (error || found.empty()) return InvalidArgument("address {}: {}", address, error.message());
  return found.begin()->endpoint();
}

absl::StatusOr<tcp::acceptor> Bind(asio::io_context& io, const std::string& address) {
  ASSIGN_OR_RETURN(tcp::endpoint endpoint, Resolve(io, address));
  tcp::acceptor acceptor(io);
  Error error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return AlreadyExists("address {} is already in use", address);
  }
  if (error) return Unavailable("listen on {}: {}", address, error.message());
  return acceptor;
}

}  // namespace

void RefreshTls(ServerCore& core) {
  const int64_t now_ns =
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  if (!core.tls_files || !core.tls_files->Check(now_ns)) return;
  if (auto loaded = LoadTls(core.options.tls); loaded.ok()) core.tls = *std::move(loaded);
}

struct Server::Impl {
  std::shared_ptr<ServerCore> core;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::thread thread;
  std::vector<std::shared_ptr<Acceptor>> acceptors;  // On the I/O thread.
  absl::Status tls_status;

  explicit Impl(std::shared_ptr<ServerCore> c)
      : core(std::move(c)), work(core->io.get_executor()) {}
};

Server::Server(ServerOptions options, const Router* router)
    : impl_(std::make_shared<Impl>(std::make_shared<ServerCore>(std::move(options), router))) {
  if (impl_->core->options.tls.enabled()) {
    const TlsFiles& files = impl_->core->options.tls;
    impl_->core->tls_files.emplace(
        std::vector<std::string>{files.ca_path, files.cert_path, files.key_path});
    auto tls = LoadTls(impl_->core->options.tls);
    if (tls.ok()) {
      impl_->core->tls = *std::move(tls);
    } else {
      impl_->tls_status = tls.status();
    }
  }
  impl_->thread = std::thread([core = impl_->core] {
    pthread_setname_np(pthread_self(), core->options.thread_name.substr(0, 15).c_str());
    core->io.run();
  });
}

Server::~Server() { Stop(); }

absl::StatusOr<int> Server::Listen(const std::string& address) {
  RETURN_IF_ERROR(impl_->tls_status);
  ASSIGN_OR_RETURN(tcp::acceptor socket, Bind(impl_->core->io, address));
  int port = socket.local_endpoint().port();
  auto acceptor = std::make_shared<Acceptor>(impl_->core, std::move(socket));
  asio::post(impl_->core->io, [impl = impl_, acceptor] {
    impl->acceptors.push_back(acceptor);
    acceptor->Accept();
  });
  return port;
}

void Server::Adopt(int fd, std::string bytes, std::string peer, bool tls) {
  auto socket = std::make_shared<tcp::socket>(impl_->core->io);
  Error error;
  socket->assign(peer.starts_with('[') ? tcp::v6() : tcp::v4(), fd, error);
  if (error) {
    close(fd);
    return;
  }
  asio::post(impl_->core->io, [core = impl_->core, socket, bytes = std::move(bytes),
                               peer = std::move(peer), tls]() mutable {
    StartSession(core, std::move(*socket), std::move(bytes), std::move(peer), tls);
  });
}

// Closes everything and lets the thread run out of work: what it still runs are the cancellations.
void Server::Stop() {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->core->io, [impl = impl_] {
    impl->core->closing = true;
    for (auto& acceptor : impl->acceptors) acceptor->Close();
    impl->acceptors.clear();
    auto sessions =
        std::vector<SessionBase*>(impl->core->sessions.begin(), impl->core->sessions.end());
    for (SessionBase* session : sessions) {
      if (impl->core->sessions.contains(session)) session->Close();
    }
    impl->work.reset();
  });
  impl_->thread.join();
}

}  // namespace tikv::http
