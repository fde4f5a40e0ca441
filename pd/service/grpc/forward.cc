#include "pd/service/grpc/forward.h"

#include <algorithm>
#include <chrono>

#include "lib/base/status.h"
#include "pd/meta/meta_store.h"

namespace tikv::pd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultTimeout{10'000};

std::string_view WithoutSlash(std::string_view url) {
  while (!url.empty() && url.back() == '/') url.remove_suffix(1);
  return url;
}

bool Has(const meta::Member& m, std::string_view url) {
  return std::any_of(m.client_urls.begin(), m.client_urls.end(),
                     [&](const std::string& u) { return WithoutSlash(u) == WithoutSlash(url); });
}

// The other half of a forwarded stream: what the target sends goes to our client.
class FromTarget : public rpc::ClientStreamHandler {
 public:
  explicit FromTarget(rpc::ServerStream down) : down_(std::move(down)) {}
  void OnMessage(std::string_view message) override { down_.Send(std::string(message)); }
  void OnClosed(const absl::Status& status) override { down_.Finish(status); }

 private:
  rpc::ServerStream down_;
};

// What our client sends goes to the target.
class ToTarget : public rpc::StreamHandler {
 public:
  ToTarget(std::shared_ptr<rpc::ClientStream> up, rpc::ServerStream down)
      : up_(std::move(up)), down_(std::move(down)) {}
  void OnMessage(std::string_view message) override {
    if (!up_->Send(std::string(message))) {
      down_.Finish(ResourceExhausted("the forwarded stream is full or has ended"));
    }
  }
  void OnHalfClose() override { up_->HalfClose(); }
  void OnClosed(const absl::Status&) override { up_->Cancel(); }

 private:
  std::shared_ptr<rpc::ClientStream> up_;
  rpc::ServerStream down_;
};

}  // namespace

absl::StatusOr<std::optional<std::string>> Forwarder::Target(
    const rpc::CallContext& context) const {
  auto host = context.Find("pd-forwarded-host");
  if (!host || host->empty() || Has(meta_->Self(), *host)) return std::optional<std::string>();
  for (const meta::Member& m : meta_->Members()) {
    if (Has(m, *host)) return std::optional<std::string>(std::string(WithoutSlash(*host)));
  }
  return Unavailable("forwarded host {} is no member of this cluster", host->substr(0, 128));
}

std::optional<std::string> Forwarder::LeaderForReads(const rpc::CallContext& context) const {
  if (!context.Find("pd-allow-follower-handle")) return std::nullopt;
  auto leader = meta_->Leader();
  if (!leader || leader->client_urls.empty() || leader->id == meta_->Self().id) return std::nullopt;
  return leader->client_urls.front();
}

void Forwarder::Unary(const std::string& target, std::string request,
                      rpc::RawResponder responder) const {
  rpc::CallOptions options;
  options.timeout = kDefaultTimeout;
  const rpc::CallContext context = responder.context();
  if (auto deadline = context.deadline()) {
    const auto left = *deadline - rpc::SteadyTime::clock::now();
    options.timeout = std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(left));
  }
  channels_->Get(target)->Unary(
      context.path(), std::move(request), std::move(options),
      [responder = std::move(responder)](absl::StatusOr<std::string> reply) mutable {
        reply.ok() ? responder.Reply(*std::move(reply)) : responder.Fail(reply.status());
      });
}

std::unique_ptr<rpc::StreamHandler> Forwarder::Stream(const std::string& target,
                                                      rpc::ServerStream stream) const {
  auto up = channels_->Get(target)->OpenStream(stream.context().path(), {},
                                               std::make_unique<FromTarget>(stream));
  return std::make_unique<ToTarget>(std::move(up), std::move(stream));
}

}  // namespace tikv::pd
