#include "client/driver/batch_stream.h"

#include "lib/base/status.h"

namespace tikv::client {

// Passes the events of one stream on, with the generation that it belongs to.
class BatchStream::Handler final : public rpc::ClientStreamHandler {
 public:
  Handler(std::weak_ptr<BatchStream> owner, uint64_t generation)
      : owner_(std::move(owner)), generation_(generation) {}

  void OnMessage(std::string_view message) override {
    if (auto owner = owner_.lock()) owner->OnMessage(generation_, message);
  }
  void OnDrained() override {
    if (auto owner = owner_.lock()) owner->OnDrained(generation_);
  }
  void OnClosed(const absl::Status& status) override {
    if (auto owner = owner_.lock()) owner->OnClosed(generation_, status);
  }

 private:
  std::weak_ptr<BatchStream> owner_;
  const uint64_t generation_;
};

void BatchStream::Call(StoreTransport::BatchRequest request, std::chrono::milliseconds timeout,
                       Callback<absl::StatusOr<StoreTransport::BatchResponse>> done) {
  std::unique_lock lock(mutex_);
  if (closed_) {
    lock.unlock();
    return std::move(done)(Cancelled("the client is closing"));
  }
  if (stream_ == nullptr) OpenLocked();
  const uint64_t id = next_id_++;
  *queued_.add_requests() = std::move(request);
  queued_.add_request_ids(id);
  waiting_.emplace(id, Waiting{clock_->Now() + timeout, std::move(done)});
  if (!writing_) FlushLocked();
}

void BatchStream::OpenLocked() {
  ++generation_;
  writing_ = false;
  stream_ = channel_->OpenStream("/tikvpb.Tikv/BatchCommands", {},
                                 std::make_unique<Handler>(weak_from_this(), generation_));
}

// A refused message stays unanswered; its commands end with the stream or their deadline.
void BatchStream::FlushLocked() {
  if (queued_.requests_size() == 0 || stream_ == nullptr) return;
  tikvpb::BatchCommandsRequest message;
  if (queued_.requests_size() <= kMaxPerMessage) {
    message.Swap(&queued_);
  } else {
    for (int i = 0; i < kMaxPerMessage; ++i) {
      message.add_requests()->Swap(queued_.mutable_requests(i));
      message.add_request_ids(queued_.request_ids(i));
    }
    queued_.mutable_requests()->DeleteSubrange(0, kMaxPerMessage);
    queued_.mutable_request_ids()->ExtractSubrange(0, kMaxPerMessage, nullptr);
  }
  writing_ = true;
  stream_->Send(message.SerializeAsString());
}

void BatchStream::OnDrained(uint64_t generation) {
  std::lock_guard lock(mutex_);
  if (generation != generation_) return;
  writing_ = false;
  FlushLocked();
}

void BatchStream::OnMessage(uint64_t generation, std::string_view bytes) {
  tikvpb::BatchCommandsResponse message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return OnClosed(generation, Unavailable("the store sent a malformed BatchCommands message"));
  }
  std::vector<std::pair<Waiting, int>> answered;
  {
    std::lock_guard lock(mutex_);
    if (generation != generation_) return;
    const int count = std::min(message.responses_size(), message.request_ids_size());
    for (int i = 0; i < count; ++i) {
      auto node = waiting_.extract(message.request_ids(i));
      if (!node.empty()) answered.emplace_back(std::move(node.mapped()), i);
    }
  }
  for (auto& [waiting, i] : answered) {
    std::move(waiting.done)(std::move(*message.mutable_responses(i)));
  }
}

std::vector<BatchStream::Waiting> BatchStream::TakeAllLocked() {
  std::vector<Waiting> all;
  all.reserve(waiting_.size());
  for (auto& [id, waiting] : waiting_) all.push_back(std::move(waiting));
  waiting_.clear();
  queued_.Clear();
  return all;
}

void BatchStream::OnClosed(uint64_t generation, const absl::Status& status) {
  std::shared_ptr<rpc::ClientStream> old;
  std::vector<Waiting> lost;
  {
    std::lock_guard lock(mutex_);
    if (generation != generation_) return;
    ++generation_;
    old = std::move(stream_);
    lost = TakeAllLocked();
  }
  const absl::Status cause =
      status.code() == absl::StatusCode::kInvalidArgument
          ? status
          : Unavailable("the stream to the store broke: {}", Message(status));
  for (Waiting& waiting : lost) std::move(waiting.done)(cause);
}

void BatchStream::Expire() {
  std::vector<Waiting> expired;
  {
    std::lock_guard lock(mutex_);
    const MonotonicTime now = clock_->Now();
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      expired.push_back(std::move(it->second));
      it = waiting_.erase(it);
    }
  }
  for (Waiting& waiting : expired) {
    std::move(waiting.done)(DeadlineExceeded("the store did not answer in time"));
  }
}

void BatchStream::Close() {
  std::shared_ptr<rpc::ClientStream> old;
  std::vector<Waiting> lost;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    ++generation_;
    old = std::move(stream_);
    lost = TakeAllLocked();
  }
  if (old != nullptr) old->Cancel();
  for (Waiting& waiting : lost) std::move(waiting.done)(Cancelled("the client is closing"));
}

}  // namespace tikv::client
