#include "lib/pdchannel/pd_channel.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "lib/pdchannel/pd_channel_impl.h"

namespace tikv::pdchannel {

PdChannel::PdChannel(PdChannelOptions options, rpc::ChannelPool* pool, Executor* strand,
                     Clock* clock)
    : impl_(std::make_shared<Impl>(std::move(options), pool, strand, clock)) {}

PdChannel::~PdChannel() {
  impl_->strand()->Post([impl = impl_] { impl->Close(); });
}

ClusterId PdChannel::cluster_id() const { return impl_->cluster_id(); }

std::string PdChannel::leader_url() const { return impl_->leader_url(); }

void PdChannel::WaitForLeader(Duration timeout, Callback<absl::Status> done) {
  impl_->strand()->Post([impl = impl_, timeout, done = std::move(done)]() mutable {
    auto call = std::make_shared<PendingCall>();
    call->deadline = impl->clock()->Now() + timeout;
    call->done = [done = std::move(done)](absl::StatusOr<std::string> result) mutable {
      std::move(done)(result.status());
    };
    impl->Start(std::move(call));
  });
}

void PdChannel::Unary(std::string path, MakeRequest request, Duration timeout,
                      Callback<absl::StatusOr<std::string>> done) {
  auto call = std::make_shared<PendingCall>();
  call->path = std::move(path);
  call->request = std::move(request);
  call->deadline = impl_->clock()->Now() + timeout;
  call->done = std::move(done);
  impl_->strand()->Post(
      [impl = impl_, call = std::move(call)]() mutable { impl->Start(std::move(call)); });
}

std::shared_ptr<PdStream> PdChannel::OpenStream(std::string path,
                                                std::unique_ptr<PdStreamHandler> handler) {
  auto stream = std::make_shared<LeaderStream>(std::move(path), std::move(handler));
  impl_->strand()->Post([impl = impl_, weak = std::weak_ptr(stream)] { impl->AddStream(weak); });
  return stream;
}

absl::Status HeaderStatus(const pdpb::ResponseHeader& header) {
  const pdpb::Error& error = header.error();
  switch (error.type()) {
    case pdpb::OK:
      return absl::OkStatus();
    case pdpb::NOT_BOOTSTRAPPED:
      return FailedPrecondition("the cluster is not bootstrapped: {}", error.message());
    case pdpb::ALREADY_BOOTSTRAPPED:
      return AlreadyExists("the cluster is bootstrapped already: {}", error.message());
    case pdpb::STORE_TOMBSTONE:
      return FailedPrecondition("the store is a tombstone: {}", error.message());
    case pdpb::REGION_NOT_FOUND:
    case pdpb::ENTRY_NOT_FOUND:
    case pdpb::GLOBAL_CONFIG_NOT_FOUND:
      return NotFound("{}", error.message());
    default:
      return Unknown("{}", error.message());
  }
}

}  // namespace tikv::pdchannel
