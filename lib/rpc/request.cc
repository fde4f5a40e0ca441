// From received bytes to handlers: messages, flow control, quotas.
//
// Credit of a stream goes back to the client when its messages have been handed to the handler, so
// a handler that pauses, or a peer that does not read its answers, stops that client and nobody
// else. A message that does not fit its window would never be complete that way: it needs a grant,
// which lets it have credit as it arrives and counts against a quota.
#include "lib/base/status.h"
#include "lib/rpc/connection.h"
#include "lib/rpc/server_state.h"

namespace tikv::rpc {
namespace {

// With the texts of gRPC in Go, which clients know: the service or only the method is missing.
absl::Status UnknownPath(const ServerState& server, std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || slash == 0) {
    return Unimplemented("malformed method name: {}", path);
  }
  const std::string_view service = path.substr(1, slash - 1);
  const std::string_view prefix = path.substr(0, slash + 1);
  for (const auto& [known, method] : server.methods) {
    if (std::string_view(known).starts_with(prefix)) {
      return Unimplemented("unknown method {} for service {}", path.substr(slash + 1), service);
    }
  }
  return Unimplemented("unknown service {}", service);
}

}  // namespace

void Connection::StartCall(Call& call) {
  call.method = server_->Find(call.path);
  if (call.method == nullptr) {
    stats_.unknown_method.fetch_add(1, std::memory_order_relaxed);
    return RefuseRequest(call, UnknownPath(*server_, call.path));
  }
  if (server_->abandoned.load(std::memory_order_relaxed) >= limits_.max_abandoned_calls) {
    stats_.abandoned_limit.fetch_add(1, std::memory_order_relaxed);
    return RefuseRequest(call, Unavailable("too many cancelled calls are still at work"));
  }
  if (call.deadline_ns != 0) loop_->timers().Set(&call, call.deadline_ns);
  if (call.accepts_gzip) call.compress_from = server_->options.compress_from_bytes;
  if (call.method->unary) {
    if (call.half_closed) RefuseRequest(call, Internal("the request has no message"));
    return;
  }
  std::unique_ptr<StreamHandler> handler =
      call.method->stream(ServerStream(CallRef(&call)), CallContext(CallRef(&call)));
  if (handler == nullptr) {
    call.discard = true;
    if (!call.answered) EndWith(call, Internal("the server has no handler for the stream"));
    return;
  }
  call.handler = std::move(handler);
  if (call.half_closed) TellHalfClose(call);
}

// Answers at once and ignores what else the client sends on this stream.
void Connection::RefuseRequest(Call& call, absl::Status status) {
  call.discard = true;
  call.has_request = false;
  call.stall_since_ns = 0;
  EndWith(call, std::move(status));
}

void Connection::OnData(Call& call, std::string_view bytes) {
  if (call.discard || call.ended) {
    nghttp2_session_consume_stream(session_, call.stream_id, bytes.size());
    return;
  }
  call.unconsumed += bytes.size();
  call.stall_bytes += bytes.size();
  call.handler != nullptr ? FeedStream(call, bytes) : FeedUnary(call, bytes);
}

void Connection::OnEndStream(Call& call) {
  call.half_closed = true;
  if (!call.rules.OnBodyEnd()) OnMalformed(call);
  if (call.malformed) return;
  if (call.http_error != 0 && !call.ended) return AnswerHttp(call);
  if (call.discard || call.ended) return;
  if (call.inflating) return;  // OnInflated goes on from here.
  if (call.handler != nullptr) {
    if (call.backlog.empty()) TellHalfClose(call);
    return;
  }
  if (!call.has_request) {
    stats_.bad_request.fetch_add(1, std::memory_order_relaxed);
    return RefuseRequest(call, Internal("the request ends within a message"));
  }
  Overloaded() ? Park(call) : RunUnary(call);
}

void Connection::FeedUnary(Call& call, std::string_view bytes) {
  if (call.inflating) {
    return RefuseRequest(call, Internal("a unary request has more than one message"));
  }
  absl::StatusOr<size_t> taken =
      call.reader.Feed(bytes, limits_.max_message_bytes,
                       [&](std::string_view message, std::string* owned, bool compressed) {
                         return PassMessage(call, message, owned, compressed);
                       });
  if (!taken.ok()) {
    stats_.message_limit.fetch_add(1, std::memory_order_relaxed);
    return RefuseRequest(call, taken.status());
  }
  if (*taken < bytes.size() && call.inflating) {
    return RefuseRequest(call, Internal("a unary request has more than one message"));
  }
  NoteIncomplete(call);
}

void Connection::FeedStream(Call& call, std::string_view bytes) {
  if (!call.paused && !call.parked && call.backlog.empty() && Overloaded()) Park(call);
  if (call.paused || call.parked || call.inflating || !call.backlog.empty()) {
    call.backlog.append(bytes);
    return NoteIncomplete(call);
  }
  call.delivering = true;
  absl::StatusOr<size_t> taken =
      call.reader.Feed(bytes, limits_.max_message_bytes,
                       [&](std::string_view message, std::string* owned, bool compressed) {
                         return PassMessage(call, message, owned, compressed) && !call.paused;
                       });
  call.delivering = false;
  if (!taken.ok()) {
    stats_.message_limit.fetch_add(1, std::memory_order_relaxed);
    return RefuseRequest(call, taken.status());
  }
  if (call.discard || call.ended) return;
  if (*taken < bytes.size()) call.backlog.assign(bytes.substr(*taken));
  ReturnCredit(call);
  if (!call.reader.AtBoundary() || !call.backlog.empty() || call.inflating) {
    NoteIncomplete(call);
  } else {
    call.stall_since_ns = 0;
  }
}

// A complete message.  False: the call wants no more.
bool Connection::PassMessage(Call& call, std::string_view message, std::string* owned,
                             bool compressed) {
  ReleaseGrant(call);
  call.message_compressed = compressed;
  std::string inflated;
  if (compressed) {
    std::string whole = owned != nullptr ? std::move(*owned) : std::string(message);
    if (!Inflate(call, std::move(whole), &inflated)) return false;
    message = inflated;
    owned = &inflated;
  }
  if (call.handler != nullptr) {
    call.handler->OnMessage(message);
    return !call.ended && !call.discard;
  }
  if (call.has_request) {
    RefuseRequest(call, Internal("a unary request has more than one message"));
    return false;
  }
  call.has_request = true;
  if (owned != nullptr) {
    call.owned = std::move(*owned);
    message = call.owned;
  }
  call.request = message;
  return true;
}

void Connection::RunUnary(Call& call) {
  call.has_request = false;
  call.stall_since_ns = 0;
  Discharge(call);
  if (call.answered) return;  // Its deadline came first.
  call.dispatched = true;
  const bool owned = !call.owned.empty() && call.request.data() == call.owned.data();
  UnaryCall unary(CallRef(&call), call.request, owned ? &call.owned : nullptr);
  call.method->unary(unary, RawResponder(CallRef(&call)));
  call.request = {};
  call.owned = {};
}

void Connection::TellHalfClose(Call& call) {
  if (call.half_close_told || call.ended) return;
  if (!call.reader.AtBoundary()) {
    stats_.bad_request.fetch_add(1, std::memory_order_relaxed);
    return RefuseRequest(call, Internal("the stream ends within a message"));
  }
  call.half_close_told = true;
  call.handler->OnHalfClose();
}

void Connection::DeliverBacklog(Call& call) {
  if (call.delivering) return;  // Resumed from within OnMessage: the loop above goes on.
  call.delivering = true;
  while (call.backlog_at < call.backlog.size() && !call.paused && !call.inflating && !call.ended &&
         !call.discard) {
    if (Overloaded()) {
      Park(call);
      break;
    }
    absl::StatusOr<size_t> taken = call.reader.Feed(
        std::string_view(call.backlog).substr(call.backlog_at), limits_.max_message_bytes,
        [&](std::string_view message, std::string* owned, bool compressed) {
          return PassMessage(call, message, owned, compressed) && !call.paused && !Overloaded();
        });
    if (!taken.ok()) {
      RefuseRequest(call, taken.status());
      break;
    }
    call.backlog_at += *taken;
  }
  call.delivering = false;
  if (call.backlog_at < call.backlog.size() && !call.ended && !call.discard) return;
  call.backlog = {};
  call.backlog_at = 0;
  if (call.inflating) return;
  Discharge(call);
  if (call.ended || call.discard) return;
  ReturnCredit(call);
  if (!call.reader.AtBoundary()) {
    NoteIncomplete(call);
    if (!call.half_closed) return;
  } else {
    call.stall_since_ns = 0;
  }
  if (call.half_closed) TellHalfClose(call);
}

// --- Waiting requests.

bool Connection::Overloaded() const {
  return output_bytes_ > limits_.max_output_bytes_per_connection;
}

void Connection::Park(Call& call) {
  if (call.parked) return;
  call.parked = true;
  stats_.parked.fetch_add(1, std::memory_order_relaxed);
  parked_.Push(CallRef(&call));
  NoteIncomplete(call);
}

void Connection::UnparkCalls() {
  if (parked_.empty() || output_bytes_ > limits_.max_output_bytes_per_connection / 2) return;
  while (!parked_.empty() && !Overloaded()) {
    CallRef call = parked_.Pop();
    if (call->connection != this) continue;
    call->parked = false;
    if (call->discard || call->ended) continue;
    call->handler != nullptr ? DeliverBacklog(*call.get()) : RunUnary(*call.get());
  }
}

// --- Memory that requests hold from one read to the next.

void Connection::NoteIncomplete(Call& call) {
  if (call.unstable) return;
  call.unstable = true;
  unstable_.emplace_back(&call);
}

// After each read: what is not finished has to leave the shared read buffer, and is counted.
void Connection::StashRequests() {
  for (CallRef& ref : unstable_) {
    Call& call = *ref.get();
    call.unstable = false;
    if (call.connection == nullptr || call.discard || call.ended || call.dispatched) continue;
    if (call.has_request && call.request.data() != call.owned.data()) {
      call.owned.assign(call.request);
      call.request = call.owned;
    }
    if (call.stall_since_ns == 0) {
      call.stall_since_ns = loop_->now_ns();
      call.stall_bytes = 0;
      ScheduleTick(call.stall_since_ns +
                   std::chrono::nanoseconds(limits_.body_stall_timeout).count());
    }
    UpdateGrant(call);
    if (!call.granted) {
      Charge(call, HeldBytes(call));
    }
  }
  unstable_.clear();
}

size_t Connection::HeldBytes(const Call& call) {
  size_t bytes = call.reader.buffered_bytes() + call.owned.size() + call.backlog.size();
  if (call.inflating) bytes += call.inflating->held_bytes();
  return bytes;
}

void Connection::Charge(Call& call, size_t bytes) {
  const size_t others = unfinished_bytes_ - call.charged;
  Discharge(call);
  const uint64_t total = stats_.unfinished_bytes.load(std::memory_order_relaxed);
  // What inflates has no window that bounds it.
  const bool alone = others == 0 && (total == 0 || !call.inflating);
  if (!alone && (others + bytes > limits_.max_unfinished_bytes_per_connection ||
                 total + bytes > limits_.max_unfinished_bytes)) {
    stats_.message_limit.fetch_add(1, std::memory_order_relaxed);
    call.reader.Clear();
    call.owned = {};
    call.backlog = {};
    call.inflating.reset();
    return RefuseRequest(call, ResourceExhausted("too many bytes of unfinished requests"));
  }
  call.charged = bytes;
  unfinished_bytes_ += bytes;
  stats_.unfinished_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

void Connection::Discharge(Call& call) {
  if (call.charged == 0) return;
  unfinished_bytes_ -= call.charged;
  stats_.unfinished_bytes.fetch_sub(call.charged, std::memory_order_relaxed);
  call.charged = 0;
}

// Gives back the credit of what was delivered; a granted message gets credit for what it holds too.
void Connection::ReturnCredit(Call& call) {
  size_t held = call.granted ? 0 : call.reader.buffered_bytes() + call.backlog.size();
  if (call.unconsumed <= held) return;
  nghttp2_session_consume_stream(session_, call.stream_id, call.unconsumed - held);
  call.unconsumed = held;
}

void Connection::UpdateGrant(Call& call) {
  if (!call.granted && !call.wants_grant) {
    // nghttp2 renews credit when half of the window is used: up to there a message needs no help.
    if (call.reader.message_bytes() + MessageReader::kPrefixBytes <
        limits_.stream_window_bytes / 2) {
      return;
    }
    if (!TryGrant(call)) {
      if (call.discard) return;
      call.wants_grant = true;
      grant_queue_.Push(CallRef(&call));
    }
  }
  if (call.granted) ReturnCredit(call);
}

bool Connection::TryGrant(Call& call) {
  const size_t bytes = call.reader.message_bytes();
  if (granted_bytes_ > 0 && granted_bytes_ + bytes > limits_.max_unfinished_bytes_per_connection) {
    return false;
  }
  uint64_t before = server_->granted_bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (before > 0 && before + bytes > limits_.max_unfinished_bytes) {
    server_->granted_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    stats_.message_limit.fetch_add(1, std::memory_order_relaxed);
    RefuseRequest(call, ResourceExhausted("too many bytes of unfinished requests"));
    return false;
  }
  call.granted = true;
  call.grant_bytes = bytes;
  granted_bytes_ += bytes;
  Discharge(call);
  return true;
}

void Connection::ReleaseGrant(Call& call) {
  call.wants_grant = false;
  if (!call.granted) return;
  call.granted = false;
  granted_bytes_ -= call.grant_bytes;
  server_->granted_bytes.fetch_sub(call.grant_bytes, std::memory_order_relaxed);
  if (over()) return;
  while (!grant_queue_.empty()) {
    CallRef next = grant_queue_.front();
    bool waiting = next->connection == this && next->wants_grant;
    if (waiting && !TryGrant(*next.get()) && next->wants_grant && !next->discard) break;
    grant_queue_.Pop();
    if (!waiting) continue;
    next->wants_grant = false;
    if (!next->granted) continue;
    ReturnCredit(*next.get());
    loop_->MarkDirty(this);
  }
}

}  // namespace tikv::rpc
