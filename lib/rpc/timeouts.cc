// What a connection may not do for ever.  One timer, set to the nearest thing that could be due.
#include <sys/epoll.h>

#include "lib/base/status.h"
#include "lib/rpc/connection.h"
#include "lib/rpc/server_state.h"

namespace tikv::rpc {
namespace {

// Without calls a connection only needs to notice a dead peer some day.
constexpr int64_t kIdleKeepaliveFactor = 6;
// A request that gets at least this much in a stall window is slow, not stalled.
constexpr size_t kStallBytes = 16 << 10;
// Between the two GOAWAYs of a connection that is too old: requests on their way still get in.
constexpr int64_t kAgeGraceNs = 200'000'000;

int64_t Nanos(std::chrono::milliseconds ms) { return std::chrono::nanoseconds(ms).count(); }

// Whether something that may last `timeout` (0: for ever) from `since` on is over; else notes when.
bool Expired(int64_t now, int64_t since, std::chrono::milliseconds timeout, int64_t* next) {
  if (timeout.count() == 0) return false;
  int64_t due = since + Nanos(timeout);
  if (now >= due) return true;
  *next = std::min(*next, due);
  return false;
}

}  // namespace

void Connection::ScheduleTick(int64_t due_ns) {
  if (due_ns >= tick_due_ns_ || state_ == State::kClosed) return;
  tick_due_ns_ = due_ns;
  loop_->timers().Set(this, due_ns);
}

void Connection::OnTimer() {
  tick_due_ns_ = INT64_MAX;
  if (state_ == State::kSniffing && peek_later_) loop_->Rewatch(transport_.fd(), EPOLLIN, this);
  int64_t next_ns = INT64_MAX;
  if (!CheckTimeouts(&next_ns)) return;
  ScheduleTick(next_ns);
}

// False when the connection is closed.
bool Connection::CheckTimeouts(int64_t* next_ns) {
  const int64_t now = loop_->now_ns();
  auto fail = [this](ServerStats::Counter& counter) {
    counter.fetch_add(1, std::memory_order_relaxed);
    Close(CloseReason::kTimeout);
    return false;
  };
  if (state_ == State::kLingering) {
    *next_ns = linger_until_ns_;
    if (now < linger_until_ns_) return true;
    Close(CloseReason::kTimeout);
    return false;
  }
  if (state_ == State::kSniffing) {
    if (!Expired(now, created_ns_, limits_.handshake_timeout, next_ns)) return true;
    return fail(stats_.handshake_timeouts);
  }
  if (mid_frame_since_ns_ != 0 &&
      Expired(now, mid_frame_since_ns_, limits_.handshake_timeout, next_ns)) {
    return fail(stats_.handshake_timeouts);
  }
  bool blocked = !leftover_.empty() || output_bytes_ > 0;
  if (blocked && Expired(now, last_progress_ns_, limits_.output_stall_timeout, next_ns)) {
    return fail(stats_.stall_timeouts);
  }
  if (!CheckKeepalive(next_ns)) return fail(stats_.keepalive_timeouts);
  CheckStalls(next_ns);
  if (idle() &&
      Expired(now, std::max(idle_since_ns_, last_read_ns_), limits_.idle_timeout, next_ns)) {
    return fail(stats_.idle_timeouts);
  }
  if (!draining_ && Expired(now, created_ns_, limits_.max_age, next_ns)) {
    BeginDrain();
    finish_drain_ns_ = now + kAgeGraceNs;
  }
  if (finish_drain_ns_ != 0) {
    if (now < finish_drain_ns_) {
      *next_ns = std::min(*next_ns, finish_drain_ns_);
    } else {
      finish_drain_ns_ = 0;
      FinishDrain();
    }
  }
  return true;
}

bool Connection::CheckKeepalive(int64_t* next_ns) {
  const int64_t now = loop_->now_ns();
  const ServerOptions& options = server_->options;
  if (options.keepalive_interval.count() == 0) return true;
  // A peer that takes output slowly may not have come to our ping yet.
  const int64_t alive_ns =
      leftover_.empty() ? last_read_ns_ : std::max(last_read_ns_, last_progress_ns_);
  if (ping_sent_ns_ != 0) {
    if (alive_ns <= ping_sent_ns_) {
      return !Expired(now, ping_sent_ns_, options.keepalive_timeout, next_ns);
    }
    ping_sent_ns_ = 0;
  }
  auto interval = options.keepalive_interval * (idle() ? kIdleKeepaliveFactor : 1);
  // A connection that turns busy is looked at again after the short interval.
  int64_t unused = INT64_MAX;
  if (Expired(now, alive_ns, interval, &unused)) {
    ping_sent_ns_ = now;
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    loop_->MarkDirty(this);
    *next_ns = std::min(*next_ns, now + Nanos(options.keepalive_timeout));
  } else {
    int64_t due = std::max(unused, now + 1'000'000);
    *next_ns = std::min(*next_ns, due);
  }
  return true;
}

void Connection::CheckStalls(int64_t* next_ns) {
  const int64_t now = loop_->now_ns();
  for (Call* call = calls_; call != nullptr; call = call->next) {
    if (call->stall_since_ns == 0 || call->ended) continue;
    bool ours = call->paused || call->parked || call->wants_grant || call->inflating;
    if (!ours && call->stall_bytes < kStallBytes &&
        Expired(now, call->stall_since_ns, limits_.body_stall_timeout, next_ns)) {
      stats_.stall_timeouts.fetch_add(1, std::memory_order_relaxed);
      RefuseRequest(*call, DeadlineExceeded("the request stalled"));
      continue;
    }
    if (now - call->stall_since_ns >= Nanos(limits_.body_stall_timeout)) {
      call->stall_since_ns = now;
      call->stall_bytes = 0;
    }
    *next_ns = std::min(*next_ns, call->stall_since_ns + Nanos(limits_.body_stall_timeout));
  }
}

}  // namespace tikv::rpc
