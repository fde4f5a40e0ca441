// Compressed messages: the usual small one is inflated at once, a large one over several turns of
// the loop, so that its neighbours wait for a slice and not for all of it.
#include "lib/base/status.h"
#include "lib/rpc/connection.h"
#include "lib/rpc/server_state.h"

namespace tikv::rpc {
namespace {

// Output of one connection and turn; about half a millisecond of work.
constexpr size_t kSliceBytes = 128 << 10;

}  // namespace

// True: `out` is the message.  False: it is refused, or will come to OnInflated.
bool Connection::Inflate(Call& call, std::string message, std::string* out) {
  if (!call.gzip) {
    RefuseRequest(call, Internal("compressed message without grpc-encoding"));
    return false;
  }
  call.inflating = std::make_unique<Inflater>(
      std::move(message), InflateLimits{limits_.max_message_bytes, limits_.max_inflate_ratio});
  absl::StatusOr<bool> done = call.inflating->Step(kSliceBytes);
  if (!done.ok()) {
    OnBadCompression(call, done.status());
    return false;
  }
  if (*done) {
    *out = std::exchange(call.inflating, nullptr)->TakeOutput();
    return true;
  }
  inflating_.Push(CallRef(&call));
  NoteIncomplete(call);
  loop_->MarkDirty(this);
  return false;
}

void Connection::OnBadCompression(Call& call, const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) {
    stats_.inflate_limit.fetch_add(1, std::memory_order_relaxed);
  }
  call.inflating.reset();
  RefuseRequest(call, status);
}

// One slice of the oldest message: one at a time, because all that are begun hold memory.
void Connection::InflateSlice() {
  auto wanted = [this](Call& c) {
    return c.connection == this && c.inflating && !c.discard && !c.ended && !c.answered;
  };
  while (!inflating_.empty() && !wanted(*inflating_.front().get())) {
    inflating_.front()->inflating.reset();
    inflating_.Pop();
  }
  if (inflating_.empty()) return;
  loop_->MarkDirty(this);
  CallRef ref = inflating_.front();
  Call& call = *ref.get();
  absl::StatusOr<bool> done = call.inflating->Step(kSliceBytes);
  if (done.ok() && !*done) {
    Charge(call, HeldBytes(call));
    return;
  }
  inflating_.Pop();
  if (!done.ok()) return OnBadCompression(call, done.status());
  OnInflated(call, std::exchange(call.inflating, nullptr)->TakeOutput());
}

void Connection::OnInflated(Call& call, std::string message) {
  if (call.handler == nullptr) {
    call.owned = std::move(message);
    call.request = call.owned;
    call.has_request = true;
    if (!call.half_closed) return NoteIncomplete(call);
    return Overloaded() ? Park(call) : RunUnary(call);
  }
  Discharge(call);
  call.message_compressed = true;
  call.delivering = true;
  call.handler->OnMessage(message);
  call.delivering = false;
  if (!call.paused && !call.parked && !call.ended && !call.discard) DeliverBacklog(call);
}

}  // namespace tikv::rpc
