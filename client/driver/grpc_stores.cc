#include "client/driver/grpc_stores.h"

#include "lib/base/status.h"

namespace tikv::client {
namespace {

// How late a deadline inside a stream may fire.
constexpr std::chrono::milliseconds kExpiryPeriod{50};

}  // namespace

struct GrpcStores::Shared {
  std::mutex mutex;
  bool closed = false;
  std::unordered_map<std::string, Store> stores;  // By address.

  std::vector<std::shared_ptr<BatchStream>> Streams() {
    std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<BatchStream>> all;
    for (auto& [address, store] : stores) {
      all.insert(all.end(), store.streams.begin(), store.streams.end());
    }
    return all;
  }
};

GrpcStores::GrpcStores(std::vector<rpc::ChannelPool*> pools, Executor* timers, Clock* clock)
    : pools_(std::move(pools)), clock_(clock), shared_(std::make_shared<Shared>()) {
  ExpireLater(shared_, timers);
}

void GrpcStores::Close() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->closed = true;
  }
  for (const auto& stream : shared_->Streams()) stream->Close();
}

void GrpcStores::ExpireLater(std::shared_ptr<Shared> shared, Executor* timers) {
  timers->PostAfter(kExpiryPeriod, [shared = std::move(shared), timers]() mutable {
    {
      std::lock_guard lock(shared->mutex);
      if (shared->closed) return;
    }
    for (const auto& stream : shared->Streams()) stream->Expire();
    ExpireLater(std::move(shared), timers);
  });
}

std::shared_ptr<BatchStream> GrpcStores::Stream(const std::string& address) {
  std::lock_guard lock(shared_->mutex);
  if (shared_->closed) return nullptr;
  Store& store = shared_->stores[address];
  if (store.streams.empty()) {
    for (rpc::ChannelPool* pool : pools_) {
      store.streams.push_back(std::make_shared<BatchStream>(pool->Get(address), clock_));
    }
  }
  return store.streams[store.next++ % store.streams.size()];
}

void GrpcStores::Batched(const std::string& address, BatchRequest request,
                         std::chrono::milliseconds timeout,
                         Callback<absl::StatusOr<BatchResponse>> done) {
  const std::shared_ptr<BatchStream> stream = Stream(address);
  if (stream == nullptr) return std::move(done)(Cancelled("the client is closing"));
  stream->Call(std::move(request), timeout, std::move(done));
}

void GrpcStores::Unary(const std::string& address, std::string_view path, std::string request,
                       std::chrono::milliseconds timeout,
                       Callback<absl::StatusOr<std::string>> done) {
  std::shared_ptr<rpc::Channel> channel;
  {
    std::lock_guard lock(shared_->mutex);
    if (!shared_->closed) channel = pools_.front()->Get(address);
  }
  if (channel == nullptr) return std::move(done)(Cancelled("the client is closing"));
  channel->Unary(path, std::move(request), {.timeout = timeout}, std::move(done));
}

}  // namespace tikv::client
