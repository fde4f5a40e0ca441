// What the channels of a pool share, and the calls that run on it.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "lib/rpc/channel.h"

namespace tikv::rpc {

// An event of the completion queue.
class CompletionTag {
 public:
  virtual ~CompletionTag() = default;
  virtual void Run(bool ok) = 0;
};

// A call that the pool can end.  TryCancel is thread-safe.
class CancellableCall {
 public:
  virtual ~CancellableCall() = default;
  virtual void TryCancel() = 0;
};

// Thread-safe; lives as long as the pool or a call under way.
struct ChannelState {
  explicit ChannelState(ChannelPoolOptions o);

  void Run();
  // False when the pool is going: start nothing.
  bool Register(CancellableCall* call);
  void Unregister(CancellableCall* call);

  const ChannelPoolOptions options;
  const std::shared_ptr<grpc::ChannelCredentials> credentials;
  grpc::CompletionQueue queue;
  std::thread thread;

  std::mutex mutex;
  std::condition_variable all_done;
  bool closing = false;  // Guarded by mutex, as the rest.
  std::set<CancellableCall*> live;
  std::map<std::string, std::shared_ptr<Channel>> channels;
};

void FillContext(const CallOptions& options, grpc::ClientContext* context);
absl::Status FromGrpc(const grpc::Status& status);
// Takes the bytes over without a copy when they are many.
grpc::ByteBuffer ToBuffer(std::string bytes);
std::string FromBuffer(const grpc::ByteBuffer& buffer);
void RunOn(TaskRunner* runner, Task task);

std::shared_ptr<ClientCall> StartUnary(std::shared_ptr<ChannelState> state,
                                       std::shared_ptr<grpc::Channel> channel,
                                       std::string_view path, std::string request,
                                       CallOptions options,
                                       Callback<absl::StatusOr<std::string>> done);
std::shared_ptr<ClientStream> StartStream(std::shared_ptr<ChannelState> state,
                                          std::shared_ptr<grpc::Channel> channel,
                                          std::string_view path, CallOptions options,
                                          std::unique_ptr<ClientStreamHandler> handler,
                                          StreamOptions stream_options);

}  // namespace tikv::rpc
