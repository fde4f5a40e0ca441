#include <deque>

#include "lib/base/status.h"
#include "lib/env/executor.h"
#include "lib/rpc/channel_state.h"
#include "lib/rpc/tsan.h"

namespace tikv::rpc {
namespace {

// Drives one outgoing stream: at most one read and one write under way.  Keeps itself alive while
// gRPC holds any of its tags.  The next read starts only when the handler has seen the message
// before, so a slow handler slows the server down instead of filling memory.
class StreamCall final : public CancellableCall, public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(std::shared_ptr<ChannelState> state, std::shared_ptr<grpc::Channel> channel,
             CallOptions options, std::unique_ptr<ClientStreamHandler> handler,
             StreamOptions stream_options)
      : state_(std::move(state)),
        stub_(std::move(channel)),
        runner_(options.runner),
        handler_(std::move(handler)),
        max_pending_(stream_options.max_pending_bytes) {
    FillContext(options, &context_);
  }

  void Start(std::string_view path) {
    self_ = shared_from_this();
    stream_ = stub_.PrepareCall(&context_, std::string(path), &state_->queue);
    HandToGrpc(&on_start_);
    std::lock_guard lock(mutex_);  // OnStart waits until gRPC is done here.
    stream_->StartCall(&on_start_);
  }

  void Refuse() {
    closed_ = true;
    RunOn(runner_, [self = shared_from_this()] {
      self->handler_->OnClosed(Cancelled("the channel pool is being closed"));
    });
  }

  bool Send(std::string message) {
    std::lock_guard lock(mutex_);
    if (closed_ || half_close_wanted_) return false;
    size_t size = message.size();
    if (pending_ > 0 && pending_ + size > max_pending_) return false;
    pending_ += size;
    queue_.push_back(std::move(message));
    PumpLocked();
    return true;
  }

  void HalfClose() {
    std::lock_guard lock(mutex_);
    half_close_wanted_ = true;
    PumpLocked();
  }

  void TryCancel() override { context_.TryCancel(); }

  size_t pending_bytes() const {
    std::lock_guard lock(mutex_);
    return pending_;
  }

 private:
  // Forwards a completion to a method.
  template <void (StreamCall::*Method)(bool)>
  class Event final : public CompletionTag {
   public:
    explicit Event(StreamCall* call) : call_(call) {}
    void Run(bool ok) override { (call_->*Method)(ok); }

   private:
    StreamCall* call_;
  };

  void OnStart(bool ok) {
    if (!ok) return Finish();
    {
      std::lock_guard lock(mutex_);
      started_ = true;
      PumpLocked();
    }
    stream_->Read(&incoming_, &on_read_);
  }

  void OnRead(bool ok) {
    if (!ok) return Finish();
    RunOn(runner_, [self = shared_from_this(), message = FromBuffer(incoming_)] {
      self->handler_->OnMessage(message);
      self->ReadNext();
    });
  }

  void ReadNext() {
    incoming_.Clear();
    stream_->Read(&incoming_, &on_read_);
  }

  void OnWrite(bool ok) {
    bool drained = false;
    std::shared_ptr<StreamCall> last;
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
      pending_ -= writing_bytes_;
      writing_bytes_ = 0;
      if (!ok) closed_ = true;  // The read fails as well and brings the status.
      drained = ok && queue_.empty() && !half_close_wanted_;
      PumpLocked();
      last = TakeSelfIfOverLocked();
    }
    if (drained && last == nullptr) {
      RunOn(runner_, [self = shared_from_this()] {
        if (!self->told_closed_) self->handler_->OnDrained();
      });
    }
  }

  // Nothing more will be read.
  void Finish() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    stream_->Finish(&status_, &on_finish_);
  }

  void OnFinish(bool) {
    std::shared_ptr<StreamCall> last;
    RunOn(runner_, [self = shared_from_this(), status = FromGrpc(status_)] {
      self->told_closed_ = true;
      self->handler_->OnClosed(status);
    });
    std::lock_guard lock(mutex_);
    finished_ = true;
    last = TakeSelfIfOverLocked();
  }

  void PumpLocked() {
    if (!started_ || writing_ || closed_) return;
    if (!queue_.empty()) {
      writing_ = true;
      writing_bytes_ = queue_.front().size();
      outgoing_ = ToBuffer(std::move(queue_.front()));
      queue_.pop_front();
      stream_->Write(outgoing_, &on_write_);
    } else if (half_close_wanted_ && !half_close_sent_) {
      writing_ = half_close_sent_ = true;
      stream_->WritesDone(&on_write_);
    }
  }

  // The reference to be dropped, outside the lock, once gRPC has no tag of ours any more.
  std::shared_ptr<StreamCall> TakeSelfIfOverLocked() {
    if (!finished_ || writing_ || self_ == nullptr) return nullptr;
    state_->Unregister(this);
    return std::move(self_);
  }

  std::shared_ptr<ChannelState> state_;
  grpc::GenericStub stub_;
  TaskRunner* const runner_;
  std::unique_ptr<ClientStreamHandler> handler_;
  const size_t max_pending_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  grpc::Status status_;
  bool told_closed_ = false;  // Touched where the handler runs.
  Event<&StreamCall::OnStart> on_start_{this};
  Event<&StreamCall::OnRead> on_read_{this};
  Event<&StreamCall::OnWrite> on_write_{this};
  Event<&StreamCall::OnFinish> on_finish_{this};

  mutable std::mutex mutex_;
  std::deque<std::string> queue_;  // Guarded by mutex_, as the rest.
  size_t pending_ = 0;
  size_t writing_bytes_ = 0;
  bool started_ = false;
  bool writing_ = false;
  bool half_close_wanted_ = false;
  bool half_close_sent_ = false;
  bool closed_ = false;
  bool finished_ = false;
  std::shared_ptr<StreamCall> self_;
};

// What the caller holds: dropping it cancels the stream.
class StreamHandle final : public ClientStream {
 public:
  explicit StreamHandle(std::shared_ptr<StreamCall> call) : call_(std::move(call)) {}
  ~StreamHandle() override { call_->TryCancel(); }

  bool Send(std::string message) override { return call_->Send(std::move(message)); }
  void HalfClose() override { call_->HalfClose(); }
  void Cancel() override { call_->TryCancel(); }
  size_t pending_bytes() const override { return call_->pending_bytes(); }

 private:
  std::shared_ptr<StreamCall> call_;
};

}  // namespace

std::shared_ptr<ClientStream> StartStream(std::shared_ptr<ChannelState> state,
                                          std::shared_ptr<grpc::Channel> channel,
                                          std::string_view path, CallOptions options,
                                          std::unique_ptr<ClientStreamHandler> handler,
                                          StreamOptions stream_options) {
  auto call = std::make_shared<StreamCall>(state, std::move(channel), std::move(options),
                                           std::move(handler), stream_options);
  if (state == nullptr || !state->Register(call.get())) {
    call->Refuse();
  } else {
    call->Start(path);
  }
  return std::make_shared<StreamHandle>(call);
}

}  // namespace tikv::rpc
