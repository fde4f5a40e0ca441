#include "lib/base/status.h"
#include "lib/env/executor.h"
#include "lib/rpc/channel_state.h"
#include "lib/rpc/tsan.h"

namespace tikv::rpc {

void FillContext(const CallOptions& options, grpc::ClientContext* context) {
  if (options.timeout.count() > 0) {
    context->set_deadline(std::chrono::system_clock::now() + options.timeout);
  }
  if (options.wait_for_ready) context->set_wait_for_ready(true);
  for (const auto& [key, value] : options.metadata) context->AddMetadata(key, value);
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

grpc::ByteBuffer ToBuffer(std::string bytes) {
  constexpr size_t kCopyBelow = 1024;
  if (bytes.size() < kCopyBelow) {
    grpc::Slice slice(bytes.data(), bytes.size());
    return grpc::ByteBuffer(&slice, 1);
  }
  auto* kept = new std::string(std::move(bytes));
  grpc::Slice slice(
      kept->data(), kept->size(), [](void* s) { delete static_cast<std::string*>(s); }, kept);
  return grpc::ByteBuffer(&slice, 1);
}

std::string FromBuffer(const grpc::ByteBuffer& buffer) {
  std::string out;
  std::vector<grpc::Slice> slices;
  if (!buffer.Valid() || !buffer.Dump(&slices).ok()) return out;
  out.reserve(buffer.Length());
  for (const grpc::Slice& s : slices) {
    out.append(reinterpret_cast<const char*>(s.begin()), s.size());
  }
  return out;
}

void RunOn(TaskRunner* runner, Task task) {
  runner == nullptr ? std::move(task)() : runner->Post(std::move(task));
}

namespace {

// Lives until its one completion has run.
class UnaryClientCall final : public ClientCall,
                              public CompletionTag,
                              public CancellableCall,
                              public std::enable_shared_from_this<UnaryClientCall> {
 public:
  UnaryClientCall(std::shared_ptr<ChannelState> state, std::shared_ptr<grpc::Channel> channel,
                  CallOptions options, Callback<absl::StatusOr<std::string>> done)
      : state_(std::move(state)),
        stub_(std::move(channel)),
        runner_(options.runner),
        done_(std::move(done)) {
    FillContext(options, &context_);
  }

  void Start(std::string_view path, std::string request) {
    self_ = shared_from_this();
    reader_ = stub_.PrepareUnaryCall(&context_, std::string(path), ToBuffer(std::move(request)),
                                     &state_->queue);
    reader_->StartCall();
    HandToGrpc(static_cast<CompletionTag*>(this));
    reader_->Finish(&response_, &status_, static_cast<CompletionTag*>(this));
  }

  void Refuse() {
    RunOn(runner_, [done = std::move(done_)]() mutable {
      std::move(done)(Cancelled("the channel pool is being closed"));
    });
  }

  void Cancel() override { context_.TryCancel(); }
  void TryCancel() override { context_.TryCancel(); }

  void Run(bool) override {
    std::shared_ptr<UnaryClientCall> self = std::move(self_);
    absl::StatusOr<std::string> result =
        status_.ok() ? absl::StatusOr<std::string>(FromBuffer(response_)) : FromGrpc(status_);
    RunOn(runner_, [done = std::move(done_), result = std::move(result)]() mutable {
      std::move(done)(std::move(result));
    });
    state_->Unregister(this);
  }

 private:
  std::shared_ptr<ChannelState> state_;
  grpc::GenericStub stub_;
  TaskRunner* runner_;
  Callback<absl::StatusOr<std::string>> done_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  std::shared_ptr<UnaryClientCall> self_;
};

}  // namespace

std::shared_ptr<ClientCall> StartUnary(std::shared_ptr<ChannelState> state,
                                       std::shared_ptr<grpc::Channel> channel,
                                       std::string_view path, std::string request,
                                       CallOptions options,
                                       Callback<absl::StatusOr<std::string>> done) {
  auto call = std::make_shared<UnaryClientCall>(state, std::move(channel), std::move(options),
                                                std::move(done));
  if (state == nullptr || !state->Register(call.get())) {
    call->Refuse();
    return call;
  }
  call->Start(path, std::move(request));
  return call;
}

}  // namespace tikv::rpc
