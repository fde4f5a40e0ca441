// One BatchCommands stream: many requests in a message, replies in any order and grouping.
#pragma once

#include <memory>
#include <mutex>

#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/rpc/typed.h"
#include "proto/tikvpb.pb.h"
#include "server/service/health_feedback.h"
#include "server/service/method.h"
#include "server/service/raw_commands.h"
#include "server/service/request_gate.h"

namespace tikv::server {

// What all streams of a store share; the ports outlive the streams.
struct BatchDependencies {
  const RequestGate* gate = nullptr;
  RawCommands* raw = nullptr;
  HealthFeedbackSource* health = nullptr;
  CallObserver* observer = nullptr;
  Clock* clock = nullptr;
  // Where replies that completed on other threads are gathered and encoded, so that the raft
  // thread does neither.
  Executor* completions = nullptr;
};

// Replies of one stream on their way out.  Thread-safe; shared with the requests under way, which
// may outlive the stream.  While a message is dispatched, replies only gather; they leave together
// at its end.  Later ones leave together when the completion strand gets to them.
class BatchReplies : public std::enable_shared_from_this<BatchReplies> {
 public:
  using Message = tikvpb::BatchCommandsResponse;
  BatchReplies(rpc::TypedStream<Message> stream, const BatchDependencies& deps)
      : stream_(std::move(stream)), deps_(deps) {}

  // Around the dispatch of one message of `commands` requests; on the stream's loop.
  void BeginMessage(size_t commands);
  void EndMessage();

  // `fill` puts the reply into its slot, under the lock.
  template <class Fill>
  void Add(uint64_t id, size_t bytes, Fill fill) {
    bool full = false;
    bool schedule = false;
    {
      std::lock_guard lock(mutex_);
      if (finished_) return;
      pending_.add_request_ids(id);
      fill(pending_.add_responses());
      pending_bytes_ += bytes;
      --in_flight_;
      full = pending_bytes_ >= kFlushBytes;
      schedule = !dispatching_ && !scheduled_ && !full;
      if (schedule) scheduled_ = true;
    }
    if (full) return Flush();
    if (schedule) {
      deps_.completions->Post([self = shared_from_this()] {
        self->Unschedule();
        self->Flush();
      });
    }
  }

  void HalfClose();  // Ends the stream once everything is answered.
  void Fail(absl::Status status);
  void OnDrained();
  void Abandon();  // The stream is gone: replies to come are dropped.

 private:
  static constexpr size_t kFlushBytes = size_t{4} << 20;
  // Backpressure: nothing more is taken from a client that has so much under way or unread.
  static constexpr size_t kMaxInFlight = 20'000;
  static constexpr size_t kMaxUnsentBytes = size_t{64} << 20;

  void Unschedule();
  void Flush();
  void AttachHealth(Message* message);

  const rpc::TypedStream<Message> stream_;
  const BatchDependencies deps_;

  std::mutex send_mutex_;  // Orders sends with the decision to finish; taken before mutex_.
  std::mutex mutex_;
  // Guarded by mutex_.
  Message pending_;
  size_t pending_bytes_ = 0;
  size_t in_flight_ = 0;
  bool dispatching_ = false;
  bool scheduled_ = false;
  bool half_closed_ = false;
  bool finished_ = false;
  bool paused_ = false;
  MonotonicTime next_health_{INT64_MIN};
};

// The receiving side.
class BatchStream : public rpc::TypedStreamHandler<tikvpb::BatchCommandsRequest> {
 public:
  BatchStream(rpc::TypedStream<tikvpb::BatchCommandsResponse> stream,
              const BatchDependencies& deps);
  ~BatchStream() override;

  void OnMessage(const tikvpb::BatchCommandsRequest& message) override;
  void OnHalfClose() override;
  void OnDrained() override;
  void OnClosed(const absl::Status& reason) override;

 private:
  using Request = tikvpb::BatchCommandsRequest::Request;
  using Reply = tikvpb::BatchCommandsResponse::Response;

  // OK, or why the stream must end.
  absl::Status Dispatch(const Request& request, uint64_t id);
  template <class Response, class Command, class Slot>
  absl::Status RunRaw(Method method, const Command& command, uint64_t id, Slot slot);
  template <class Response, class Command, class Slot>
  absl::Status Refuse(std::string_view name, const Command& command, uint64_t id, Slot slot);
  void RunEmpty(const tikvpb::BatchCommandsEmptyRequest& command, uint64_t id);
  void RunHealthFeedback(uint64_t id);

  const BatchDependencies deps_;
  std::shared_ptr<BatchReplies> replies_;
};

}  // namespace tikv::server
