// One HTTP/1.1 connection: read a request, have it answered, write, again.
#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>

#include "lib/http/core.h"

namespace tikv::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using Error = boost::system::error_code;

// A write restarts its time-out at least this often.
constexpr size_t kPieceBytes = 128 << 10;
constexpr size_t kReadBytes = 16 << 10;

std::string_view View(beast::string_view s) { return {s.data(), s.size()}; }

// What a responder may do to a connection that may be gone: the part of Session without its type.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // All on the I/O thread.
  virtual void SendWhole(Response response) = 0;
  virtual void SendHead(int status, Headers headers) = 0;
  virtual void SendPiece(std::string piece) = 0;
  virtual void EndBody() = 0;
};

// Counts what a body stream has queued; shared by its writer and the connection.
struct StreamState {
  std::atomic<size_t> pending{0};
  std::atomic<bool> broken{false};
};

class StreamImpl final : public BodyStream {
 public:
  StreamImpl(std::shared_ptr<ServerCore> core, std::weak_ptr<Exchange> exchange,
             std::shared_ptr<StreamState> state)
      : core_(std::move(core)), exchange_(std::move(exchange)), state_(std::move(state)) {}
  ~StreamImpl() override { Finish(); }

  bool Write(std::string piece) override {
    if (finished_ || state_->broken) return false;
    if (piece.empty()) return true;
    size_t before = state_->pending.fetch_add(piece.size());
    if (before > 0 && before + piece.size() > core_->options.max_pending_bytes) {
      state_->broken = true;
      return false;
    }
    Post([piece = std::move(piece)](Exchange& e) mutable { e.SendPiece(std::move(piece)); });
    return true;
  }
  void Finish() override {
    if (finished_.exchange(true)) return;
    Post([](Exchange& e) { e.EndBody(); });
  }
  size_t pending_bytes() const override { return state_->pending; }

 private:
  template <class Action>
  void Post(Action action) {
    asio::dispatch(core_->io, [exchange = exchange_, action = std::move(action)]() mutable {
      if (auto e = exchange.lock()) action(*e);
    });
  }

  std::shared_ptr<ServerCore> core_;
  std::weak_ptr<Exchange> exchange_;
  std::shared_ptr<StreamState> state_;
  std::atomic<bool> finished_{false};
};

// Dispatches instead of posting: on the I/O thread a post would not keep its order with those of
// other threads.
class Sink final : public ResponseSink {
 public:
  Sink(std::shared_ptr<ServerCore> core, std::weak_ptr<Exchange> exchange,
       std::shared_ptr<StreamState> state)
      : core_(std::move(core)), exchange_(std::move(exchange)), state_(std::move(state)) {}

  void Send(Response response) override {
    asio::dispatch(core_->io, [exchange = exchange_, response = std::move(response)]() mutable {
      if (auto e = exchange.lock()) e->SendWhole(std::move(response));
    });
  }
  std::shared_ptr<BodyStream> StartStream(int status, Headers headers) override {
    asio::dispatch(core_->io,
                   [exchange = exchange_, status, headers = std::move(headers)]() mutable {
                     if (auto e = exchange.lock()) e->SendHead(status, std::move(headers));
                   });
    return std::make_shared<StreamImpl>(core_, exchange_, state_);
  }

 private:
  std::shared_ptr<ServerCore> core_;
  std::weak_ptr<Exchange> exchange_;
  std::shared_ptr<StreamState> state_;
};

void AppendHeader(std::string_view name, std::string_view value, std::string* out) {
  // A line break in a value would let its author write headers of their own.
  if (value.find_first_of("\r\n") != std::string_view::npos) return;
  out->append(name).append(": ").append(value).append("\r\n");
}

std::string Head(int status, const Headers& headers) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status,
                                 View(bhttp::obsolete_reason(static_cast<bhttp::status>(status))));
  for (const auto& [name, value] : headers) AppendHeader(name, value, &head);
  return head;
}

std::string PeerCommonName(SSL* ssl) {
  X509* peer = SSL_get1_peer_certificate(ssl);
  if (peer == nullptr) return {};
  std::string name;
  X509_NAME* subject = X509_get_subject_name(peer);
  if (int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1); at >= 0) {
    // With its length: a NUL inside must not cut the name short.
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    name.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                static_cast<size_t>(ASN1_STRING_length(value)));
  }
  X509_free(peer);
  return name;
}

// Stream: beast::tcp_stream, or TLS over it.  Keeps itself alive through its pending operations and
// through `self_` while a handler works.
template <class Stream>
class Session final : public SessionBase,
                      public Exchange,
                      public std::enable_shared_from_this<Session<Stream>> {
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

 public:
  template <class... Args>
  Session(std::shared_ptr<ServerCore> core, std::string peer, Args&&... args)
      : core_(std::move(core)), peer_(std::move(peer)), stream_(std::forward<Args>(args)...) {
    core_->sessions.insert(this);
  }
  ~Session() override { core_->sessions.erase(this); }

  void Start(std::string bytes) {
    auto room = buffer_.prepare(bytes.size());
    asio::buffer_copy(room, asio::buffer(bytes));
    buffer_.commit(bytes.size());
    if constexpr (kTls) {
      Limit(core_->options.header_timeout);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](Error error) {
                                if (error) return self->Close();
                                self->common_name_ = PeerCommonName(self->stream_.native_handle());
                                self->PeerAllowed() ? self->AwaitRequest() : self->Close();
                              });
    } else {
      AwaitRequest();
    }
  }

  void Close() override {
    closed_ = true;
    if (state_ != nullptr) state_->broken = true;
    beast::get_lowest_layer(stream_).cancel();
    beast::get_lowest_layer(stream_).close();
    queue_.clear();
    self_ = nullptr;
  }

  // --- Exchange.

  void SendWhole(Response response) override {
    if (closed_ || answering_) return;
    answering_ = true;
    std::string out = Head(response.status, response.headers);
    const bool bodyless = response.status == 204 || response.status == 304;
    if (!bodyless) AppendHeader("Content-Length", fmt::format("{}", response.body.size()), &out);
    FinishHead(&out);
    if (!head_request_ && !bodyless) {
      if (response.body.size() <= kPieceBytes) {
        out.append(response.body);
      } else {
        Enqueue(std::move(out));
        out = std::move(response.body);
      }
    }
    Enqueue(std::move(out));
    EndBody();
  }

  void SendHead(int status, Headers headers) override {
    if (closed_ || answering_) return;
    answering_ = true;
    chunked_ = http11_;
    if (!chunked_) keep_alive_ = false;
    std::string out = Head(status, headers);
    if (chunked_) AppendHeader("Transfer-Encoding", "chunked", &out);
    FinishHead(&out);
    Enqueue(std::move(out));
  }

  void SendPiece(std::string piece) override {
    if (closed_) return;
    if (state_->broken) return Close();
    const size_t size = piece.size();
    if (head_request_) {
      state_->pending -= size;
      return;
    }
    if (chunked_) piece = fmt::format("{:x}\r\n", size).append(piece).append("\r\n");
    Enqueue(std::move(piece), size);
  }

  void EndBody() override {
    if (closed_ || body_ended_) return;
    body_ended_ = true;
    if (chunked_ && !head_request_) return Enqueue("0\r\n\r\n");
    if (queue_.empty()) FinishExchange();
  }

 private:
  using Parser = bhttp::request_parser<bhttp::string_body>;
  struct Piece {
    std::string bytes;
    size_t counted;  // Of StreamState::pending.
    size_t sent = 0;
  };

  bool PeerAllowed() const {
    const std::vector<std::string>& allowed = core_->options.tls.allowed_names;
    return allowed.empty() || std::ranges::find(allowed, common_name_) != allowed.end();
  }

  void Limit(std::chrono::seconds timeout) {
    beast::get_lowest_layer(stream_).expires_after(timeout);
  }

  // Nothing is due yet: wait for the first byte.
  void AwaitRequest() {
    if (closed_) return;
    if (buffer_.size() > 0) return ReadHead();
    Limit(core_->options.idle_timeout);
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = this->shared_from_this()](Error error, size_t n) {
                              if (error) return self->Close();
                              self->buffer_.commit(n);
                              self->ReadHead();
                            });
  }

  void ReadHead() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(core_->options.max_header_bytes));
    parser_->body_limit(core_->options.max_body_bytes);
    state_ = std::make_shared<StreamState>();
    answering_ = body_ended_ = chunked_ = false;
    Limit(core_->options.header_timeout);
    bhttp::async_read_header(stream_, buffer_, *parser_,
                             [self = this->shared_from_this()](Error error, size_t) {
                               error ? self->Refuse(error) : self->ReadBody();
                             });
  }

  void ReadBody() {
    if (parser_->is_done()) return Serve();
    auto expect = parser_->get()[bhttp::field::expect];
    if (beast::iequals(expect, "100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      asio::async_write(stream_, asio::buffer(kContinue),
                        [self = this->shared_from_this()](Error error, size_t) {
                          error ? self->Close() : self->ReadRest();
                        });
      return;
    }
    ReadRest();
  }

  void ReadRest() {
    Limit(core_->options.body_timeout);
    bhttp::async_read(stream_, buffer_, *parser_,
                      [self = this->shared_from_this()](Error error, size_t) {
                        error ? self->Refuse(error) : self->Serve();
                      });
  }

  void Refuse(Error error) {
    int status = 400;
    if (error == bhttp::error::header_limit) status = 431;
    if (error == bhttp::error::body_limit) status = 413;
    const bool protocol = error.category() == bhttp::make_error_code(bhttp::error{}).category();
    if (!protocol || error == bhttp::error::end_of_stream ||
        error == bhttp::error::partial_message) {
      return Close();
    }
    keep_alive_ = false;
    head_request_ = false;
    SendWhole(Response::Text(status, fmt::format("{}\n", error.message())));
  }

  void Serve() {
    beast::get_lowest_layer(stream_).expires_never();
    auto& message = parser_->get();
    keep_alive_ = message.keep_alive() && !core_->closing;
    http11_ = message.version() >= 11;
    head_request_ = message.method() == bhttp::verb::head;
    Request request;
    request.method = View(message.method_string());
    request.target = View(message.target());
    for (const auto& field : message) {
      request.headers.emplace_back(View(field.name_string()), View(field.value()));
    }
    request.body = std::move(message.body());
    request.peer = peer_;
    request.common_name = common_name_;
    self_ = this->shared_from_this();
    core_->router->Route(std::move(request),
                         Responder(std::make_shared<Sink>(core_, self_, state_)));
  }

  void FinishHead(std::string* head) {
    if (!keep_alive_) AppendHeader("Connection", "close", head);
    head->append("\r\n");
  }

  void Enqueue(std::string bytes, size_t counted = 0) {
    queue_.push_back({std::move(bytes), counted});
    if (queue_.size() == 1) WriteNext();
  }

  void WriteNext() {
    Piece& piece = queue_.front();
    Limit(core_->options.write_timeout);
    size_t n = std::min(kPieceBytes, piece.bytes.size() - piece.sent);
    asio::async_write(stream_, asio::buffer(piece.bytes.data() + piece.sent, n),
                      [self = this->shared_from_this()](Error error, size_t written) {
                        self->OnWritten(error, written);
                      });
  }

  void OnWritten(Error error, size_t n) {
    if (closed_) return;
    if (error) return Close();
    Piece& piece = queue_.front();
    piece.sent += n;
    if (piece.sent < piece.bytes.size()) return WriteNext();
    state_->pending -= piece.counted;
    queue_.pop_front();
    if (!queue_.empty()) return WriteNext();
    beast::get_lowest_layer(stream_).expires_never();
    if (body_ended_) FinishExchange();
  }

  void FinishExchange() {
    std::shared_ptr<Exchange> done = std::move(self_);
    self_ = nullptr;
    if (!keep_alive_) return Shutdown();
    AwaitRequest();
  }

  // Lets the peer read what was sent: a close with unread input would reset the connection.
  void Shutdown() {
    Error ignored;
    beast::get_lowest_layer(stream_).socket().shutdown(asio::ip::tcp::socket::shutdown_send,
                                                       ignored);
    Limit(std::chrono::seconds(1));
    Linger();
  }

  void Linger() {
    buffer_.clear();
    beast::get_lowest_layer(stream_).async_read_some(
        buffer_.prepare(kReadBytes), [self = this->shared_from_this()](Error error, size_t) {
          error ? self->Close() : self->Linger();
        });
  }

  std::shared_ptr<ServerCore> core_;
  const std::string peer_;
  std::string common_name_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::deque<Piece> queue_;
  std::shared_ptr<StreamState> state_;
  std::shared_ptr<Exchange> self_;
  bool closed_ = false;
  bool keep_alive_ = false;
  bool http11_ = true;
  bool head_request_ = false;
  bool answering_ = false;
  bool body_ended_ = false;
  bool chunked_ = false;
};

}  // namespace

void StartSession(std::shared_ptr<ServerCore> core, asio::ip::tcp::socket socket, std::string bytes,
                  std::string peer, bool tls) {
  if (core->closing || core->sessions.size() >= core->options.max_connections) return;
  Error ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (!tls) {
    std::make_shared<Session<beast::tcp_stream>>(core, std::move(peer), std::move(socket))
        ->Start(std::move(bytes));
    return;
  }
  RefreshTls(*core);
  if (core->tls != nullptr) {
    std::make_shared<Session<asio::ssl::stream<beast::tcp_stream>>>(
        core, std::move(peer), beast::tcp_stream(std::move(socket)), *core->tls)
        ->Start(std::move(bytes));
  }
}

}  // namespace tikv::http
