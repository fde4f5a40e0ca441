// nghttp2's callbacks.  Handlers run inside them, so nothing here may close the connection.
#include "lib/base/status.h"
#include "lib/rpc/connection.h"
#include "lib/rpc/server_state.h"
#include "lib/rpc/wire.h"

namespace tikv::rpc {
namespace {

constexpr size_t kHeaderOverhead = 32;  // Per field, RFC 9113 section 6.5.2.
// A header list this many times over the limit ends the connection, not only the call.
constexpr size_t kHopelessHeaders = 4;
// Frames that carry work earn room for the control frames that go with them.
constexpr double kControlsPerFrame = 2;

std::string_view View(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

struct SessionCallbacks {
  static Connection& Self(void* user_data) { return *static_cast<Connection*>(user_data); }
  static Call* Find(nghttp2_session* session, int32_t stream_id) {
    return static_cast<Call*>(nghttp2_session_get_stream_user_data(session, stream_id));
  }

  static int BeginFrame(nghttp2_session*, const nghttp2_frame_hd* header, void* user_data) {
    return Self(user_data).OnBeginFrame(*header);
  }
  static int BeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      Self(user_data).OnBeginHeaders(frame->hd.stream_id);
    }
    return 0;
  }
  static int Header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                    size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                    void* user_data) {
    Call* call = Find(session, frame->hd.stream_id);
    if (call == nullptr) return 0;
    return Self(user_data).OnHeader(*call, View(name, name_size), View(value, value_size));
  }
  static int FrameReceived(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    return Self(user_data).OnFrame(*frame);
  }
  static int InvalidFrame(nghttp2_session*, const nghttp2_frame*, int, void* user_data) {
    Self(user_data).stats_.protocol_errors.fetch_add(1, std::memory_order_relaxed);
    return 0;
  }
  static int DataChunk(nghttp2_session* session, uint8_t, int32_t stream_id, const uint8_t* data,
                       size_t size, void* user_data) {
    Connection& self = Self(user_data);
    // The connection's window is no brake (one paused stream would stop all); streams' windows and
    // the quotas are.
    nghttp2_session_consume_connection(session, size);
    Call* call = Find(session, stream_id);
    if (call == nullptr) {
      nghttp2_session_consume_stream(session, stream_id, size);
    } else {
      if (!call->rules.OnBody(size)) self.OnMalformed(*call);
      self.OnData(*call, View(data, size));
    }
    return 0;
  }
  static int StreamClosed(nghttp2_session* session, int32_t stream_id, uint32_t error_code,
                          void* user_data) {
    Call* call = Find(session, stream_id);
    if (call != nullptr) Self(user_data).OnStreamClosed(*call, error_code);
    return 0;
  }
  static int FrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Self(user_data).OnFrameSent(*frame);
    return 0;
  }
  static int SendData(nghttp2_session*, nghttp2_frame*, const uint8_t* frame_header, size_t size,
                      nghttp2_data_source* source, void* user_data) {
    return Self(user_data).SendData(*static_cast<Call*>(source->ptr), frame_header, size);
  }
  static ssize_t Read(nghttp2_session*, int32_t, uint8_t*, size_t size, uint32_t* flags,
                      nghttp2_data_source* source, void* user_data) {
    return Self(user_data).ProvideData(*static_cast<Call*>(source->ptr), size, flags);
  }

  static const nghttp2_session_callbacks* Table() {
    static const nghttp2_session_callbacks* table = [] {
      nghttp2_session_callbacks* t = nullptr;
      nghttp2_session_callbacks_new(&t);
      nghttp2_session_callbacks_set_on_begin_frame_callback(t, BeginFrame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(t, BeginHeaders);
      nghttp2_session_callbacks_set_on_header_callback(t, Header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(t, FrameReceived);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(t, InvalidFrame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(t, DataChunk);
      nghttp2_session_callbacks_set_on_stream_close_callback(t, StreamClosed);
      nghttp2_session_callbacks_set_on_frame_send_callback(t, FrameSent);
      nghttp2_session_callbacks_set_send_data_callback(t, SendData);
      return t;
    }();
    return table;
  }
};

nghttp2_data_provider Connection::DataProviderOf(Call& call) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &call;
  provider.read_callback = SessionCallbacks::Read;
  return provider;
}

bool Connection::OpenSession() {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) return false;
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_no_http_messaging(option, 1);  // RequestRules does it.
  // Our own buckets strike first and are counted.
  nghttp2_option_set_stream_reset_rate_limit(option, limits_.reset_burst * 2,
                                             limits_.resets_per_second * 2);
  nghttp2_option_set_max_continuations(option, limits_.max_continuation_frames + 1);
  int result = nghttp2_session_server_new2(&session_, SessionCallbacks::Table(), this, option);
  nghttp2_option_del(option);
  if (result != 0) return false;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.max_concurrent_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits_.max_header_list_bytes)},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(limits_.connection_window_bytes));
  return true;
}

// Says GOAWAY and has the connection closed once the current input is dealt with.
int Connection::Terminate(uint32_t error_code, ServerStats::Counter& counter) {
  if (!terminating_) {
    terminating_ = true;
    counter.fetch_add(1, std::memory_order_relaxed);
    nghttp2_session_terminate_session(session_, error_code);
  }
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int Connection::ChargeControl() {
  if (controls_.Take(loop_->now_ns())) return 0;
  server_->flooders.Add(peer_ip_, loop_->now_ns());
  return Terminate(NGHTTP2_ENHANCE_YOUR_CALM, stats_.control_flood);
}

int Connection::ChargeReset() {
  if (resets_.Take(loop_->now_ns())) return 0;
  server_->flooders.Add(peer_ip_, loop_->now_ns());
  return Terminate(NGHTTP2_ENHANCE_YOUR_CALM, stats_.reset_flood);
}

int Connection::OnBeginFrame(const nghttp2_frame_hd& header) {
  if (header.type == NGHTTP2_CONTINUATION) {
    if (++continuations_ <= limits_.max_continuation_frames) return 0;
    return Terminate(NGHTTP2_ENHANCE_YOUR_CALM, stats_.continuation_limit);
  }
  continuations_ = 0;
  if (header.type != NGHTTP2_HEADERS || IsOpen(header.stream_id)) return 0;
  return CheckClosedStream(header.stream_id);
}

bool Connection::IsOpen(int32_t stream_id) const {
  return SessionCallbacks::Find(session_, stream_id) != nullptr;
}

// What a frame of work on a stream that is not open means.
int Connection::CheckClosedStream(int32_t stream_id) {
  switch (closed_streams_.Find(stream_id)) {
    case ClosedStreams::Fate::kClosedByPeer:
      return Terminate(NGHTTP2_STREAM_CLOSED, stats_.protocol_errors);
    case ClosedStreams::Fate::kNeverOpened:
      return Terminate(NGHTTP2_PROTOCOL_ERROR, stats_.protocol_errors);
    case ClosedStreams::Fate::kClosedByUs:
    case ClosedStreams::Fate::kOpenOrForgotten:
      return 0;
  }
  return 0;
}

void Connection::OnBeginHeaders(int32_t stream_id) {
  auto* call = new Call(server_, loop_->mailbox(), loop_, this, stream_id);
  call->peer = peer_;
  Link(call);
  closed_streams_.OnOpened(stream_id);
  nghttp2_session_set_stream_user_data(session_, stream_id, call);
}

int Connection::OnHeader(Call& call, std::string_view name, std::string_view value) {
  if (call.headers_done) {
    if (!RequestRules::OnTrailer(name, value)) OnMalformed(call);
    return 0;  // Trailers of the request say nothing to us.
  }
  if (!call.rules.OnHeader(name, value)) call.malformed = true;
  call.header_bytes += name.size() + value.size() + kHeaderOverhead;
  ++call.header_count;
  if (call.header_bytes > limits_.max_header_list_bytes ||
      call.header_count > limits_.max_header_count) {
    if (call.header_bytes > kHopelessHeaders * limits_.max_header_list_bytes) {
      return Terminate(NGHTTP2_ENHANCE_YOUR_CALM, stats_.header_limit);
    }
    return 0;  // Still decoded, for HPACK's sake, but not kept.
  }
  if (name == ":method") {
    call.is_post = value == "POST";
  } else if (name == ":path") {
    call.path = value;
  } else if (name == "content-type") {
    constexpr std::string_view kGrpc = "application/grpc";
    call.is_grpc =
        value.starts_with(kGrpc) &&
        (value.size() == kGrpc.size() || value[kGrpc.size()] == '+' || value[kGrpc.size()] == ';');
  } else if (name == "grpc-timeout") {
    std::optional<int64_t> timeout = ParseTimeout(value);
    if (timeout) {
      call.deadline_ns = loop_->now_ns() + *timeout;
    } else {
      call.refused = Internal("malformed grpc-timeout");
    }
  } else if (name == "grpc-encoding") {
    call.gzip = value == "gzip";
    if (value != "gzip" && value != "identity") {
      stats_.unknown_encoding.fetch_add(1, std::memory_order_relaxed);
      call.refused = Unimplemented("grpc-encoding {} is not supported", value);
    }
  } else if (name == "grpc-accept-encoding") {
    call.accepts_gzip = value.find("gzip") != std::string_view::npos;
  } else if (!name.starts_with(':') && name != "te") {
    call.metadata.Add(name, value);
  }
  return 0;
}

int Connection::OnFrame(const nghttp2_frame& frame) {
  const bool end_stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  Call* call = SessionCallbacks::Find(session_, frame.hd.stream_id);
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      controls_.Give(kControlsPerFrame);
      if (call == nullptr) return 0;
      if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
        OnHeadersDone(*call, end_stream);
      } else if (end_stream) {
        OnEndStream(*call);
      } else {
        OnMalformed(*call);  // Only trailers may follow, and they end the request.
      }
      return 0;
    case NGHTTP2_DATA:
      if (call != nullptr && end_stream) {
        OnEndStream(*call);
      } else if (frame.hd.length == 0) {
        return ChargeControl();
      } else {
        controls_.Give(kControlsPerFrame);
      }
      return 0;
    case NGHTTP2_RST_STREAM:
      if (call != nullptr) {
        call->peer_reset = true;
      } else {
        closed_streams_.OnPeerReset(frame.hd.stream_id);
      }
      return ChargeReset();
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
      return (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 ? 0 : ChargeControl();
    case NGHTTP2_PRIORITY:
    case NGHTTP2_WINDOW_UPDATE:
      return ChargeControl();
    default:
      return 0;
  }
}

void Connection::OnFrameSent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    // A peer can have us reset streams by breaking rules on them: the same flood, the other way.
    if (frame.rst_stream.error_code != NGHTTP2_NO_ERROR) ChargeReset();
    return;
  }
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
  controls_.Give(kControlsPerFrame);
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  Call* call = SessionCallbacks::Find(session_, frame.hd.stream_id);
  if (call == nullptr) return;
  call->end_stream_sent = true;
  // Answered before the request was complete: tell the client not to send the rest.  Only now,
  // because a reset would have overtaken the answer.
  if (!call->half_closed) ResetStream(*call, NGHTTP2_NO_ERROR);
}

// Resets the stream, once.
void Connection::OnMalformed(Call& call) {
  if (call.malformed && call.discard) return;
  call.malformed = true;
  call.discard = true;
  call.has_request = false;
  stats_.protocol_errors.fetch_add(1, std::memory_order_relaxed);
  ResetStream(call, NGHTTP2_PROTOCOL_ERROR);
}

void Connection::OnHeadersDone(Call& call, bool end_stream) {
  call.headers_done = true;
  call.half_closed = end_stream;
  stats_.requests.fetch_add(1, std::memory_order_relaxed);
  if (call.malformed || !call.rules.OnHeadersEnd() || (end_stream && !call.rules.OnBodyEnd())) {
    return OnMalformed(call);
  }
  if (call.header_bytes > limits_.max_header_list_bytes ||
      call.header_count > limits_.max_header_count) {
    stats_.header_limit.fetch_add(1, std::memory_order_relaxed);
    return RefuseRequest(call, ResourceExhausted("request headers are larger than {} bytes",
                                                 limits_.max_header_list_bytes));
  }
  if (!call.is_post || !call.is_grpc) {
    // Not for us.  Answered when the request is complete, as its client expects.
    call.http_error = call.is_post ? 415 : 405;
    call.discard = true;
    call.stall_since_ns = loop_->now_ns();
    if (end_stream) AnswerHttp(call);
    return;
  }
  if (!call.refused.ok()) return RefuseRequest(call, std::move(call.refused));
  StartCall(call);
}

void Connection::OnStreamClosed(Call& call, uint32_t error_code) {
  if (session_ != nullptr) nghttp2_session_set_stream_user_data(session_, call.stream_id, nullptr);
  closed_streams_.OnClosed(call.stream_id, call.half_closed || call.peer_reset);
  loop_->timers().Cancel(&call);
  ReleaseGrant(call);
  Discharge(call);
  DropOutput(call);
  Unlink(&call);
  call.connection = nullptr;
  call.reader.Clear();
  call.owned = {};
  call.backlog = {};
  call.inflating.reset();
  const bool complete = call.end_stream_sent && call.close_reason.ok();
  if (!complete) {
    call.ClaimAnswer();
    if (call.dispatched || call.handler != nullptr) {
      if (call.close_reason.ok()) stats_.cancelled.fetch_add(1, std::memory_order_relaxed);
      call.MarkCancelled();
    }
  }
  call.DropCancelTask();
  if (std::unique_ptr<StreamHandler> handler = std::move(call.handler)) {
    if (!complete && call.close_reason.ok()) {
      call.close_reason = over() ? Cancelled("the connection was closed")
                                 : Cancelled("the client cancelled the call");
    }
    handler->OnClosed(call.close_reason);
  }
  if (call.cancelled && call.refs() > 1) {
    call.abandoned = true;
    server_->abandoned.fetch_add(1, std::memory_order_relaxed);
  }
  call.Release();
}

void Connection::Link(Call* call) {
  call->AddRef();
  call->next = calls_;
  if (calls_ != nullptr) calls_->previous = call;
  calls_ = call;
  // The first call of an idle connection brings back the short keepalive interval.
  if (call->next == nullptr && server_->options.keepalive_interval.count() > 0) {
    ScheduleTick(loop_->now_ns() +
                 std::chrono::nanoseconds(server_->options.keepalive_interval).count());
  }
  stats_.streams.fetch_add(1, std::memory_order_relaxed);
}

void Connection::Unlink(Call* call) {
  (call->previous != nullptr ? call->previous->next : calls_) = call->next;
  if (call->next != nullptr) call->next->previous = call->previous;
  call->previous = call->next = nullptr;
  if (calls_ == nullptr) idle_since_ns_ = loop_->now_ns();
  stats_.streams.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace tikv::rpc
