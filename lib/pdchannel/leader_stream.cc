#include <utility>

#include "lib/pdchannel/pd_channel_impl.h"

namespace tikv::pdchannel {

// Receives for one opened stream.  Holds the LeaderStream weakly: its owner may drop it any time.
class LeaderStream::Receiver : public rpc::ClientStreamHandler {
 public:
  Receiver(std::weak_ptr<LeaderStream> owner, uint64_t generation,
           std::function<void(absl::Status)> on_broken)
      : owner_(std::move(owner)), generation_(generation), on_broken_(std::move(on_broken)) {}

  void OnMessage(std::string_view message) override {
    if (auto owner = Current(); owner != nullptr) owner->handler_->OnMessage(message);
  }

  void OnClosed(const absl::Status& status) override {
    if (auto owner = Current(); owner != nullptr) {
      owner->Cancel();
      owner->handler_->OnBroken(status);
      on_broken_(status);
    }
  }

 private:
  std::shared_ptr<LeaderStream> Current() const {
    auto owner = owner_.lock();
    return owner != nullptr && owner->open_ && owner->generation_ == generation_ ? owner : nullptr;
  }

  std::weak_ptr<LeaderStream> owner_;
  uint64_t generation_;
  std::function<void(absl::Status)> on_broken_;
};

LeaderStream::~LeaderStream() {
  if (stream_ != nullptr) stream_->Cancel();
}

bool LeaderStream::Send(std::string message) {
  std::shared_ptr<rpc::ClientStream> stream;
  {
    std::lock_guard lock(mutex_);
    stream = stream_;
  }
  return stream != nullptr && stream->Send(std::move(message));
}

void LeaderStream::Open(rpc::Channel* channel, Executor* strand,
                        std::function<void(absl::Status)> on_broken) {
  open_ = true;
  rpc::CallOptions options;
  options.runner = strand;
  auto receiver = std::make_unique<Receiver>(weak_from_this(), ++generation_, std::move(on_broken));
  auto stream = channel->OpenStream(path_, options, std::move(receiver));
  {
    std::lock_guard lock(mutex_);
    stream_ = std::move(stream);
  }
  handler_->OnOpen();
}

void LeaderStream::Cancel() {
  open_ = false;
  std::shared_ptr<rpc::ClientStream> stream;
  {
    std::lock_guard lock(mutex_);
    stream = std::exchange(stream_, nullptr);
  }
  if (stream != nullptr) stream->Cancel();
}

}  // namespace tikv::pdchannel
