#include <chrono>
#include <utility>

#include "server/service/batch_stream.h"

namespace tikv::server {

void BatchReplies::BeginMessage(size_t commands) {
  bool pause = false;
  {
    std::lock_guard lock(mutex_);
    dispatching_ = true;
    in_flight_ += commands;
    pause = !paused_ && in_flight_ > kMaxInFlight;
    if (pause) paused_ = true;
  }
  if (pause) stream_.Pause();
}

void BatchReplies::EndMessage() {
  {
    std::lock_guard lock(mutex_);
    dispatching_ = false;
  }
  Flush();
}

void BatchReplies::HalfClose() {
  {
    std::lock_guard lock(mutex_);
    half_closed_ = true;
  }
  Flush();
}

void BatchReplies::Fail(absl::Status status) {
  {
    std::lock_guard lock(mutex_);
    finished_ = true;
  }
  stream_.Finish(std::move(status));
}

void BatchReplies::OnDrained() { Flush(); }

void BatchReplies::Abandon() {
  std::lock_guard lock(mutex_);
  finished_ = true;
  pending_.Clear();
}

void BatchReplies::Unschedule() {
  std::lock_guard lock(mutex_);
  scheduled_ = false;
}

void BatchReplies::Flush() {
  std::lock_guard send_lock(send_mutex_);
  Message message;
  bool finish = false;
  bool resume = false;
  {
    std::lock_guard lock(mutex_);
    if (finished_) return;
    message.Swap(&pending_);
    pending_bytes_ = 0;
    finish = half_closed_ && in_flight_ == 0;
    finished_ = finish;
    if (message.responses_size() > 0) AttachHealth(&message);
  }
  if (message.responses_size() > 0) {
    deps_.observer->OnBatchResponse(static_cast<size_t>(message.responses_size()));
    stream_.Send(message);
  }
  if (finish) return stream_.Finish(absl::OkStatus());
  const bool unread = stream_.pending_bytes() > kMaxUnsentBytes;
  {
    std::lock_guard lock(mutex_);
    resume = paused_ && !unread && in_flight_ <= kMaxInFlight / 2;
    if (resume) paused_ = false;
    if (unread && !paused_) {
      paused_ = true;
      stream_.Pause();
    }
  }
  if (resume) stream_.Resume();
}

void BatchReplies::AttachHealth(Message* message) {
  message->set_transport_layer_load(deps_.health->transport_load());
  const MonotonicTime now = deps_.clock->Now();
  if (now < next_health_) return;
  next_health_ = now + std::chrono::seconds(1);
  deps_.health->Fill(message->mutable_health_feedback());
}

}  // namespace tikv::server
