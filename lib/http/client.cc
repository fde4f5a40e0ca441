#include "lib/http/client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <thread>
#include <unordered_set>

#include "lib/base/status.h"

namespace tikv::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using Error = boost::system::error_code;

struct Url {
  bool tls = false;
  std::string host;
  std::string port;
  std::string target;
};

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  Url url;
  size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return InvalidArgument("URL {}: no scheme", text);
  std::string_view name = text.substr(0, scheme);
  if (name != "http" && name != "https") return InvalidArgument("URL {}: unknown scheme", text);
  url.tls = name == "https";
  std::string_view rest = text.substr(scheme + 3);
  size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  url.target = rest.substr(slash);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    url.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  } else {
    url.port = url.tls ? "443" : "80";
  }
  if (authority.starts_with('[') && authority.ends_with(']')) {
    authority = authority.substr(1, authority.size() - 2);
  }
  url.host = authority;
  if (url.host.empty()) return InvalidArgument("URL {}: no host", text);
  if (url.target.find_first_of(" \r\n\t") != std::string::npos) {
    return InvalidArgument("URL {}: blank in the path", text);
  }
  return url;
}

// A request under way, whatever its stream type.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void Cancel() = 0;
};

struct Core {
  ClientOptions options;
  asio::io_context io{1};
  std::unique_ptr<asio::ssl::context> tls;
  absl::Status tls_status;
  std::unordered_set<Exchange*> live;  // On the I/O thread.
  bool closing = false;                // Likewise.
};

// Resolve, connect, write, read: one method per step.  Its pending operation keeps it alive; one
// timer covers all steps.
template <class Stream>
class Fetcher final : public Exchange, public std::enable_shared_from_this<Fetcher<Stream>> {
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

 public:
  template <class... Args>
  Fetcher(std::shared_ptr<Core> core, Url url, ClientRequest request,
          Callback<absl::StatusOr<Response>> done, Args&&... args)
      : core_(std::move(core)),
        url_(std::move(url)),
        timeout_(request.timeout),
        done_(std::move(done)),
        resolver_(core_->io),
        timer_(core_->io),
        stream_(core_->io, std::forward<Args>(args)...) {
    Fill(std::move(request));
    core_->live.insert(this);
  }
  ~Fetcher() override { core_->live.erase(this); }

  void Start() {
    timer_.expires_after(timeout_);
    timer_.async_wait([weak = this->weak_from_this()](Error error) {
      auto self = weak.lock();
      if (!error && self != nullptr) {
        self->Finish(
            DeadlineExceeded("{}: no answer within {} ms", self->Origin(), self->timeout_.count()));
      }
    });
    resolver_.async_resolve(url_.host, url_.port,
                            [self = this->shared_from_this()](Error error, auto endpoints) {
                              if (error) return self->Fail("resolve", error);
                              self->Connect(std::move(endpoints));
                            });
  }

  void Cancel() override { Finish(Cancelled("the HTTP client is being closed")); }

 private:
  std::string Origin() const { return fmt::format("{}:{}", url_.host, url_.port); }

  void Fill(ClientRequest request) {
    message_.version(11);
    message_.method_string(request.method);
    message_.target(url_.target);
    message_.set(bhttp::field::host, Origin());
    message_.set(bhttp::field::connection, "close");
    for (const auto& [name, value] : request.headers) message_.set(name, value);
    message_.body() = std::move(request.body);
    message_.prepare_payload();
  }

  void Connect(tcp::resolver::results_type endpoints) {
    beast::get_lowest_layer(stream_).async_connect(
        endpoints, [self = this->shared_from_this()](Error error, const tcp::endpoint&) {
          error ? self->Fail("connect", error) : self->Handshake();
        });
  }

  void Handshake() {
    if constexpr (kTls) {
      SSL_set_tlsext_host_name(stream_.native_handle(), url_.host.c_str());
      stream_.set_verify_callback(asio::ssl::host_name_verification(url_.host));
      stream_.async_handshake(asio::ssl::stream_base::client,
                              [self = this->shared_from_this()](Error error) {
                                error ? self->Fail("TLS handshake", error) : self->Write();
                              });
    } else {
      Write();
    }
  }

  void Write() {
    bhttp::async_write(stream_, message_, [self = this->shared_from_this()](Error error, size_t) {
      error ? self->Fail("send", error) : self->Read();
    });
  }

  void Read() {
    parser_.body_limit(core_->options.max_body_bytes);
    if (message_.method() == bhttp::verb::head) parser_.skip(true);
    bhttp::async_read(
        stream_, buffer_, parser_, [self = this->shared_from_this()](Error error, size_t) {
          if (error == bhttp::error::body_limit) {
            return self->Finish(ResourceExhausted("{}: the body is larger than {} bytes",
                                                  self->Origin(),
                                                  self->core_->options.max_body_bytes));
          }
          if (error) return self->Fail("receive", error);
          self->Deliver();
        });
  }

  void Deliver() {
    Response response;
    auto& message = parser_.get();
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
      auto name = field.name_string();
      auto value = field.value();
      response.headers.emplace_back(std::string(name.data(), name.size()),
                                    std::string(value.data(), value.size()));
    }
    response.body = std::move(message.body());
    Finish(std::move(response));
  }

  void Fail(const char* step, Error error) {
    Finish(Unavailable("{}: {}: {}", Origin(), step, error.message()));
  }

  void Finish(absl::StatusOr<Response> result) {
    if (!done_) return;
    auto done = std::move(done_);
    done_ = nullptr;
    timer_.cancel();
    resolver_.cancel();
    beast::get_lowest_layer(stream_).close();
    std::move(done)(std::move(result));
  }

  std::shared_ptr<Core> core_;
  const Url url_;
  const std::chrono::milliseconds timeout_;
  Callback<absl::StatusOr<Response>> done_;
  bhttp::request<bhttp::string_body> message_;
  bhttp::response_parser<bhttp::string_body> parser_;
  beast::flat_buffer buffer_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  Stream stream_;
};

void LoadTls(Core* core) {
  const ClientOptions& options = core->options;
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  Error error;
  auto fail = [&](const std::string& what) {
    core->tls_status = InvalidArgument("{}: {}", what, error.message());
  };
  if (options.ca_path.empty()) {
    context->set_default_verify_paths(error);
  } else if (context->load_verify_file(options.ca_path, error)) {
    return fail(options.ca_path);
  }
  context->set_verify_mode(asio::ssl::verify_peer, error);
  if (!options.cert_path.empty()) {
    if (context->use_certificate_chain_file(options.cert_path, error)) {
      return fail(options.cert_path);
    }
    if (context->use_private_key_file(options.key_path, asio::ssl::context::pem, error)) {
      return fail(options.key_path);
    }
  }
  core->tls = std::move(context);
}

}  // namespace

struct Client::Impl {
  std::shared_ptr<Core> core = std::make_shared<Core>();
  asio::executor_work_guard<asio::io_context::executor_type> work{core->io.get_executor()};
  std::mutex mutex;
  std::thread thread;  // Guarded by mutex.

  void StartThread() {
    std::lock_guard lock(mutex);
    if (thread.joinable()) return;
    thread = std::thread([core = core] {
      pthread_setname_np(pthread_self(), "http-client");
      core->io.run();
    });
  }
};

Client::Client(ClientOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->core->options = std::move(options);
}

Client::~Client() {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->core->io, [core = impl_->core] {
    core->closing = true;
    for (Exchange* e : std::vector<Exchange*>(core->live.begin(), core->live.end())) e->Cancel();
  });
  impl_->work.reset();
  impl_->thread.join();
}

void Client::FetchAsync(ClientRequest request, Callback<absl::StatusOr<Response>> done) {
  impl_->StartThread();
  asio::post(impl_->core->io, [core = impl_->core, request = std::move(request),
                               done = std::move(done)]() mutable {
    absl::StatusOr<Url> url = ParseUrl(request.url);
    if (!url.ok()) return std::move(done)(url.status());
    if (core->closing) return std::move(done)(Cancelled("the HTTP client is being closed"));
    if (!url->tls) {
      std::make_shared<Fetcher<beast::tcp_stream>>(core, *url, std::move(request), std::move(done))
          ->Start();
      return;
    }
    if (core->tls == nullptr && core->tls_status.ok()) LoadTls(core.get());  // Takes a while.
    if (!core->tls_status.ok()) {
      std::move(done)(core->tls_status);
    } else {
      std::make_shared<Fetcher<asio::ssl::stream<beast::tcp_stream>>>(
          core, *url, std::move(request), std::move(done), *core->tls)
          ->Start();
    }
  });
}

absl::StatusOr<Response> Client::Fetch(ClientRequest request) {
  std::mutex mutex;
  std::condition_variable cv;
  std::optional<absl::StatusOr<Response>> result;
  FetchAsync(std::move(request), [&](absl::StatusOr<Response> r) {
    std::lock_guard lock(mutex);
    result = std::move(r);
    cv.notify_one();
  });
  std::unique_lock lock(mutex);
  cv.wait(lock, [&] { return result.has_value(); });
  return *std::move(result);
}

}  // namespace tikv::http
