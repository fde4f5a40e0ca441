#include "pd/meta/replica/snapshot_sender.h"

#include "pd/meta/replica/snapshot_file.h"

namespace tikv::pd::meta {
namespace {

constexpr size_t kMaxPendingBytes = 4 << 20;

// One transfer.  Chunks are read by one pool task at a time: the next one is posted when the
// stream has taken what was sent.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
  Sender(TaskRunner* pool, std::shared_ptr<const engine::Snapshot> state,
         std::function<void(bool)> done)
      : pool_(pool), chunks_(std::move(state)), done_(std::move(done)) {}

  void Start(rpc::Channel& channel, std::string_view path, rpc::CallOptions options,
             std::string head) {
    auto stream =
        channel.OpenStream(path, std::move(options), std::make_unique<Handler>(shared_from_this()));
    stream->Send(std::move(head));
    {
      std::lock_guard lock(mutex_);
      stream_ = std::move(stream);
    }
    Continue();
  }

 private:
  class Handler : public rpc::ClientStreamHandler {
   public:
    explicit Handler(std::shared_ptr<Sender> sender) : sender_(std::move(sender)) {}
    void OnMessage(std::string_view) override {}
    void OnDrained() override { sender_->Continue(); }
    void OnClosed(const absl::Status& status) override { sender_->Finish(status.ok()); }

   private:
    std::shared_ptr<Sender> sender_;
  };

  void Continue() {
    {
      std::lock_guard lock(mutex_);
      if (std::exchange(reading_, true)) return;
    }
    pool_->Post([self = shared_from_this()] { self->ReadSome(); });
  }

  void ReadSome() {
    std::shared_ptr<rpc::ClientStream> stream;
    {
      std::lock_guard lock(mutex_);
      stream = stream_;
    }
    while (stream != nullptr && !chunks_.done() && stream->pending_bytes() < kMaxPendingBytes) {
      absl::StatusOr<std::string> chunk = chunks_.Next();
      if (!chunk.ok() || !stream->Send(*std::move(chunk))) {
        stream->Cancel();
        break;
      }
      if (chunks_.done()) stream->HalfClose();
    }
    std::unique_lock lock(mutex_);
    reading_ = false;
    // What was sent may have drained while we still counted as reading.
    const bool again =
        stream_ != nullptr && !chunks_.done() && stream_->pending_bytes() < kMaxPendingBytes;
    lock.unlock();
    if (again) Continue();
  }

  void Finish(bool success) {
    std::function<void(bool)> done;
    {
      std::lock_guard lock(mutex_);
      stream_ = nullptr;
      done = std::exchange(done_, nullptr);
    }
    if (done) done(success);
  }

  TaskRunner* const pool_;
  ChunkReader chunks_;  // Of the task that reads.
  std::mutex mutex_;
  std::shared_ptr<rpc::ClientStream> stream_;
  std::function<void(bool)> done_;
  bool reading_ = false;
};

}  // namespace

void SendSnapshotOver(rpc::Channel& channel, std::string_view path, rpc::CallOptions options,
                      TaskRunner* pool, std::string head,
                      std::shared_ptr<const engine::Snapshot> state,
                      std::function<void(bool)> done) {
  std::make_shared<Sender>(pool, std::move(state), std::move(done))
      ->Start(channel, path, std::move(options), std::move(head));
}

}  // namespace tikv::pd::meta
