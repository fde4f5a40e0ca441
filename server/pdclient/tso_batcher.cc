#include "server/pdclient/tso_batcher.h"

#include <utility>

namespace tikv::server {
namespace {

constexpr size_t kMaxQueued = 100'000;
constexpr int kLogicalBits = 18;

}  // namespace

class TsoBatcher::Handler : public pdchannel::PdStreamHandler {
 public:
  explicit Handler(std::weak_ptr<TsoBatcher> owner) : owner_(std::move(owner)) {}
  void OnOpen() override {
    if (auto owner = owner_.lock()) owner->OnOpen();
  }
  void OnMessage(std::string_view message) override {
    if (auto owner = owner_.lock()) owner->OnMessage(message);
  }
  void OnBroken(const absl::Status& reason) override {
    if (auto owner = owner_.lock()) owner->OnBroken(reason);
  }

 private:
  std::weak_ptr<TsoBatcher> owner_;
};

void TsoBatcher::Start() {
  stream_ = channel_->OpenStream("/pdpb.PD/Tso", std::make_unique<Handler>(weak_from_this()));
}

void TsoBatcher::Get(Callback<absl::StatusOr<Timestamp>> done) {
  {
    std::lock_guard lock(mutex_);
    if (queued_.size() < kMaxQueued) {
      queued_.push_back(std::move(done));
      done = nullptr;
    }
  }
  if (done != nullptr) return std::move(done)(Unavailable("too many timestamp requests wait"));
  SendNext();
}

void TsoBatcher::SendNext() {
  std::lock_guard lock(mutex_);
  if (!flying_.empty() || queued_.empty()) return;
  pdpb::TsoRequest request;
  request.mutable_header()->set_cluster_id(channel_->cluster_id().value);
  request.set_count(static_cast<uint32_t>(queued_.size()));
  if (stream_->Send(rpc::SerializeBytes(request))) flying_.swap(queued_);
}

void TsoBatcher::OnMessage(std::string_view message) {
  pdpb::TsoResponse response;
  const absl::Status parsed = rpc::ParseMessage(message, "/pdpb.PD/Tso", &response);
  Waiting answered;
  {
    std::lock_guard lock(mutex_);
    answered.swap(flying_);
  }
  if (!parsed.ok() || response.count() != answered.size()) {
    for (auto& done : answered) std::move(done)(Unavailable("PD sent a wrong timestamp reply"));
  } else {
    // The reply carries the largest of the batch.
    const auto& last = response.timestamp();
    Timestamp ts = (static_cast<uint64_t>(last.physical()) << kLogicalBits) +
                   static_cast<uint64_t>(last.logical()) - (answered.size() - 1);
    for (auto& done : answered) std::move(done)(ts++);
  }
  SendNext();
}

void TsoBatcher::OnOpen() {
  OnBroken(Unavailable("PD's leader changed"));
  SendNext();
}

void TsoBatcher::OnBroken(const absl::Status& reason) {
  Waiting lost;
  {
    std::lock_guard lock(mutex_);
    lost.swap(flying_);
  }
  for (auto& done : lost) std::move(done)(Unavailable("{}", Message(reason)));
}

}  // namespace tikv::server
