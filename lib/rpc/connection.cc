#include "lib/rpc/connection.h"

#include <sys/epoll.h>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/rpc/server_state.h"

namespace tikv::rpc {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr int64_t kPeekAgainNs = 5'000'000;
constexpr size_t kMaxPeekBytes = 16 << 10;
// What a turn costs depends on frames more than on bytes, so as much is read at once as held so
// many frames of the last read's kind.
constexpr size_t kFramesPerRead = 256;
constexpr size_t kSmallRead = 4 << 10;
constexpr size_t kLargeRead = 128 << 10;
// How long, and for how many bytes, an ended connection waits for its peer to close.
constexpr int64_t kLingerNs = 1'000'000'000;
constexpr size_t kLingerBytes = 1 << 20;
constexpr size_t kLastWordsBytes = 64 << 10;
// Of the usual bursts, what a peer gets that flooded us lately over another connection.
constexpr double kSuspectShare = 0.01;

int64_t Nanos(std::chrono::milliseconds ms) { return std::chrono::nanoseconds(ms).count(); }

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> server, Loop* loop, int fd, std::string peer,
                       std::string peer_ip)
    : server_(std::move(server)),
      limits_(server_->options.limits),
      stats_(server_->stats),
      loop_(loop),
      transport_(fd),
      peer_(std::make_shared<const std::string>(std::move(peer))),
      peer_ip_(std::move(peer_ip)),
      read_bytes_(kSmallRead),
      resets_(limits_.reset_burst, limits_.resets_per_second),
      controls_(limits_.control_burst, limits_.controls_per_second),
      created_ns_(loop->now_ns()),
      last_read_ns_(created_ns_),
      last_progress_ns_(created_ns_),
      idle_since_ns_(created_ns_) {
  const bool suspect = server_->flooders.Contains(peer_ip_, created_ns_);
  resets_.Start(created_ns_, suspect ? kSuspectShare : 1);
  controls_.Start(created_ns_, suspect ? kSuspectShare : 1);
}

Connection::~Connection() { CHECK(session_ == nullptr && calls_ == nullptr); }

void Connection::Start() {
  // Without an HTTP side there is nothing to choose: TLS begins at once.
  if (server_->tls != nullptr && !server_->http_handler) {
    transport_.StartTls(server_->tls->Current(created_ns_));
  }
  peek_later_ = server_->tls != nullptr && server_->http_handler != nullptr;
  loop_->Watch(transport_.fd(), EPOLLIN, this);
  ScheduleTick(created_ns_ + Nanos(limits_.handshake_timeout));
}

void Connection::OnEvents(uint32_t events) {
  if (state_ == State::kClosed) return;
  if ((events & EPOLLOUT) != 0 && WriteLeftover() && session_ != nullptr) loop_->MarkDirty(this);
  if (state_ == State::kClosed) return;
  if (state_ == State::kLingering) return DiscardInput();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 || transport_.read_wants_write()) ReadOnce();
}

// One bounded read per turn, so that a busy connection does not starve its neighbours.
bool Connection::ReadOnce() {
  if (peek_later_ && !SniffTls()) return false;
  std::string& buffer = loop_->read_buffer();
  long n = transport_.Read(buffer.data(), std::min(read_bytes_, buffer.size()));
  if (n == Transport::kAgain) {
    UpdateInterest();
    return true;
  }
  if (n == Transport::kTlsError) {
    stats_.tls_errors.fetch_add(1, std::memory_order_relaxed);
    Linger();  // OpenSSL has sent an alert.
    return false;
  }
  if (n <= 0) {
    Close(CloseReason::kPeer);
    return false;
  }
  last_read_ns_ = loop_->now_ns();
  stats_.bytes_in.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
  std::string_view bytes(buffer.data(), static_cast<size_t>(n));
  if (state_ == State::kSniffing) return Sniff(bytes);
  return Receive(bytes);
}

// Decides by ALPN, before the handshake, whose connection this is.
bool Connection::SniffTls() {
  char hello[kMaxPeekBytes];
  long n = transport_.Peek(hello, sizeof(hello));
  if (n == Transport::kAgain) return false;
  if (n <= 0) {
    Close(CloseReason::kPeer);
    return false;
  }
  // gRPC clients offer h2 and nothing else; programs that also (or only) speak HTTP/1.1 are after
  // the REST side.
  const std::string_view bytes(hello, static_cast<size_t>(n));
  AlpnOffer grpc = ClientHelloOffers(bytes, "h2");
  if (grpc == AlpnOffer::kYes && ClientHelloOffers(bytes, "http/1.1") == AlpnOffer::kYes) {
    grpc = AlpnOffer::kNo;
  }
  switch (grpc) {
    case AlpnOffer::kNo:
      HandOver({}, true);
      return false;
    case AlpnOffer::kIncomplete:
      // The bytes stay in the socket, so readiness would fire without end: look again a bit later.
      loop_->Rewatch(transport_.fd(), 0, this);
      ScheduleTick(loop_->now_ns() + kPeekAgainNs);
      return false;
    case AlpnOffer::kYes:
      peek_later_ = false;
      transport_.StartTls(server_->tls->Current(loop_->now_ns()));
      return true;
  }
  return false;
}

bool Connection::Sniff(std::string_view bytes) {
  sniffed_.append(bytes);
  size_t n = std::min(sniffed_.size(), kPreface.size());
  if (sniffed_.compare(0, n, kPreface, 0, n) != 0) {
    HandOver(std::move(sniffed_), false);
    return false;
  }
  if (n < kPreface.size()) return true;
  state_ = State::kOpen;
  if (!OpenSession()) {
    Close(CloseReason::kProtocol);
    return false;
  }
  std::string first = std::move(sniffed_);
  sniffed_ = {};
  std::string_view rest(first);
  Feed(rest.substr(0, kPreface.size()));
  return Receive(rest.substr(kPreface.size()));
}

void Connection::HandOver(std::string bytes, bool tls) {
  bool wanted = server_->http_handler != nullptr && (tls || server_->tls == nullptr);
  if (!wanted) {
    stats_.unknown_protocol.fetch_add(1, std::memory_order_relaxed);
    Close(CloseReason::kProtocol);
    return;
  }
  stats_.http_handed_over.fetch_add(1, std::memory_order_relaxed);
  loop_->Unwatch(transport_.fd());
  HandedOver given{transport_.Release(), std::move(bytes), *peer_, tls};
  Close(CloseReason::kDone);
  server_->http_handler(std::move(given));
}

bool Connection::Feed(std::string_view bytes) {
  ssize_t n = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                       bytes.size());
  if (n == NGHTTP2_ERR_FLOODED) {
    // Answers to its control frames pile up because it does not read.
    server_->flooders.Add(peer_ip_, loop_->now_ns());
    Terminate(NGHTTP2_ENHANCE_YOUR_CALM, stats_.control_flood);
  } else if (n < 0) {
    Terminate(NGHTTP2_PROTOCOL_ERROR, stats_.protocol_errors);
  }
  return !terminating_;
}

// Feeds nghttp2 what was read.  It passes over DATA on closed streams without telling us, so input
// is cut after the headers of such frames: with everything before them applied, their stream's fate
// is known.
bool Connection::FeedFrames(std::string_view bytes) {
  bool had_reset = false;
  const size_t size = bytes.size();
  size_t frames = 0;
  while (!bytes.empty()) {
    int32_t suspect = 0;
    size_t n = frames_.Advance(bytes, [&](const FrameTracker::Header& header) {
      ++frames;
      had_reset = had_reset || header.type == NGHTTP2_RST_STREAM;
      if (header.type != NGHTTP2_DATA) return false;
      const bool fine =
          header.stream_id > closed_streams_.last_opened() || IsOpen(header.stream_id);
      if (fine && !had_reset) return false;
      suspect = header.stream_id;
      return true;
    });
    if (!Feed(bytes.substr(0, n))) return false;
    bytes.remove_prefix(n);
    if (suspect != 0 && !IsOpen(suspect) && CheckClosedStream(suspect) != 0) return false;
  }
  read_bytes_ =
      frames == 0 ? kLargeRead : std::clamp(size / frames * kFramesPerRead, kSmallRead, kLargeRead);
  return true;
}

bool Connection::Receive(std::string_view bytes) {
  const bool good = FeedFrames(bytes);
  StashRequests();
  if (!good) {
    Flush();  // A GOAWAY may say why.
    Linger();
    return false;
  }
  if (!frames_.MidHeaders()) {
    mid_frame_since_ns_ = 0;
  } else if (mid_frame_since_ns_ == 0) {
    mid_frame_since_ns_ = loop_->now_ns();
    ScheduleTick(mid_frame_since_ns_ + Nanos(limits_.handshake_timeout));
  }
  loop_->MarkDirty(this);
  return true;
}

bool Connection::Write(std::string_view bytes) {
  long n = transport_.Write(bytes);
  if (n == Transport::kClosed) {
    Close(CloseReason::kPeer);
    return false;
  }
  size_t sent = n > 0 ? static_cast<size_t>(n) : 0;
  stats_.bytes_out.fetch_add(sent, std::memory_order_relaxed);
  if (sent < bytes.size()) {
    leftover_.assign(bytes.substr(sent));
    leftover_at_ = 0;
    last_progress_ns_ = loop_->now_ns();
    ScheduleTick(last_progress_ns_ + Nanos(limits_.output_stall_timeout));
    UpdateInterest();
  }
  return true;
}

// True when nothing is left over.
bool Connection::WriteLeftover() {
  if (leftover_.empty()) return true;
  long n = transport_.Write(std::string_view(leftover_).substr(leftover_at_));
  if (n == Transport::kClosed) {
    Close(CloseReason::kPeer);
    return false;
  }
  if (n > 0) {
    leftover_at_ += static_cast<size_t>(n);
    last_progress_ns_ = loop_->now_ns();
    stats_.bytes_out.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
  }
  if (leftover_at_ < leftover_.size()) return false;
  leftover_ = {};
  leftover_at_ = 0;
  UpdateInterest();
  if (state_ == State::kLingering) transport_.CloseWrite();
  return true;
}

void Connection::UpdateInterest() {
  bool want = !leftover_.empty() || (!over() && transport_.read_wants_write());
  if (want == want_write_) return;
  want_write_ = want;
  loop_->Rewatch(transport_.fd(), want ? EPOLLIN | EPOLLOUT : EPOLLIN, this);
}

// REQUIRES: over().
void Connection::EndSession() {
  loop_->timers().Cancel(this);
  tick_due_ns_ = INT64_MAX;
  while (calls_ != nullptr) OnStreamClosed(*calls_, NGHTTP2_CANCEL);
  nghttp2_session_del(session_);
  session_ = nullptr;
  unstable_.clear();
  parked_.Clear();
  drained_.clear();
  inflating_.Clear();
  grant_queue_.Clear();
}

// Were the socket closed at once, the kernel would answer what the peer still sends with a reset,
// and a reset takes from the peer what it has not read yet, our GOAWAY among it.  So only our side
// is closed, and what comes is read and dropped until the peer closes, within bounds.
void Connection::Linger() {
  if (over()) return;
  // Behind what the peer has yet to take: our last words.
  if (session_ != nullptr && !leftover_.empty() && GatherOutput(kLastWordsBytes)) {
    leftover_.append(loop_->write_buffer());
  }
  state_ = State::kLingering;
  EndSession();
  linger_until_ns_ = loop_->now_ns() + kLingerNs;
  ScheduleTick(linger_until_ns_);
  if (leftover_.empty()) transport_.CloseWrite();
  UpdateInterest();
}

void Connection::DiscardInput() {
  std::string& buffer = loop_->read_buffer();
  long n = transport_.Discard(buffer.data(), buffer.size());
  if (n == Transport::kAgain) return;
  if (n > 0) discarded_bytes_ += static_cast<size_t>(n);
  if (n <= 0 || discarded_bytes_ > kLingerBytes) Close(CloseReason::kDone);
}

void Connection::Close(CloseReason reason) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  EndSession();
  if (transport_.fd() >= 0) loop_->Unwatch(transport_.fd());
  stats_.connections.fetch_sub(1, std::memory_order_relaxed);
  {
    std::lock_guard lock(server_->mutex);
    auto it = server_->connections_by_peer.find(peer_ip_);
    if (it != server_->connections_by_peer.end() && --it->second == 0) {
      server_->connections_by_peer.erase(it);
    }
  }
  loop_->Retire(this);
}

void Connection::GoAway() {
  if (state_ == State::kOpen) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    Flush();
    return Linger();
  }
  Close(CloseReason::kLimit);
}

void Connection::BeginDrain() {
  if (state_ == State::kSniffing) return Close(CloseReason::kServerStopped);
  if (over() || draining_) return;
  draining_ = true;
  nghttp2_submit_shutdown_notice(session_);
  loop_->MarkDirty(this);
}

void Connection::FinishDrain() {
  if (state_ != State::kOpen) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  loop_->MarkDirty(this);
}

}  // namespace tikv::rpc
