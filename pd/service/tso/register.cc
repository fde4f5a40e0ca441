#include "pd/service/tso/register.h"

#include "lib/base/status.h"
#include "lib/env/clock.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/typed.h"
#include "pd/meta/meta_store.h"
#include "pd/port/host.h"
#include "pd/service/grpc/forward.h"
#include "pd/tso/tso.h"
#include "proto/pdpb.pb.h"

namespace tikv::pd {
namespace {

constexpr char kTsoPath[] = "/pdpb.PD/Tso";

// The registry's.
struct TsoMetrics {
  metrics::Histogram* duration = nullptr;
  metrics::Histogram* batch = nullptr;
};

// One client's stream.  A request is answered within OnMessage, so that replies keep the order of
// requests and cost no hop.
class TsoStream : public rpc::StreamHandler {
 public:
  TsoStream(const Host* host, const TsoMetrics* metrics, rpc::ServerStream stream)
      : host_(host), metrics_(metrics), stream_(std::move(stream)) {}

  void OnMessage(std::string_view bytes) override {
    if (absl::Status status = Answer(bytes); !status.ok()) stream_.Finish(std::move(status));
  }
  void OnHalfClose() override { stream_.Finish(absl::OkStatus()); }
  void OnClosed(const absl::Status&) override {}

 private:
  absl::Status Answer(std::string_view bytes) {
    const MonotonicTime begun = host_->clock->Now();
    request_.Clear();
    RETURN_IF_ERROR(rpc::ParseMessage(bytes, kTsoPath, &request_));
    const uint64_t cluster_id = host_->meta->cluster_id();
    if (cluster_id == 0) return Unavailable("server not started");
    if (const uint64_t got = request_.header().cluster_id(); got != cluster_id) {
      return FailedPrecondition("mismatch cluster id, need {} but got {}", cluster_id, got);
    }
    ASSIGN_OR_RETURN(tso::Timestamp last, host_->tso->Allocate(request_.count()));
    response_.mutable_header()->set_cluster_id(cluster_id);
    response_.set_count(request_.count());
    response_.mutable_timestamp()->set_physical(last.physical);
    response_.mutable_timestamp()->set_logical(last.logical);
    stream_.SendFramed(rpc::SerializeFramed(response_));
    metrics_->duration->Observe(std::chrono::duration<double>(host_->clock->Now() - begun).count());
    metrics_->batch->Observe(request_.count());
    return absl::OkStatus();
  }

  const Host* const host_;
  const TsoMetrics* const metrics_;
  const rpc::ServerStream stream_;
  pdpb::TsoRequest request_;  // Both reused: their allocations are worth keeping.
  pdpb::TsoResponse response_;
};

class Service : public TsoService {
 public:
  Service(const Host* host, rpc::ChannelPool* channels, metrics::Registry* registry)
      : host_(host), forwarder_(host->meta, channels) {
    metrics_.duration = &registry->AddHistogram("pd_server_handle_tso_duration_seconds",
                                                "How long a request for timestamps took.",
                                                metrics::ExponentialBounds(0.00001, 2, 18));
    metrics_.batch = &registry->AddHistogram("pd_server_handle_tso_batch_size",
                                             "How many timestamps a request asked for.",
                                             metrics::ExponentialBounds(1, 2, 14));
  }

  std::unique_ptr<rpc::StreamHandler> Open(rpc::ServerStream stream,
                                           const rpc::CallContext& context) const {
    absl::StatusOr<std::optional<std::string>> target = forwarder_.Target(context);
    if (!target.ok()) {
      stream.Finish(target.status());
      return nullptr;
    }
    if (*target) return forwarder_.Stream(**target, std::move(stream));
    return std::make_unique<TsoStream>(host_, &metrics_, std::move(stream));
  }

 private:
  const Host* const host_;
  const Forwarder forwarder_;
  TsoMetrics metrics_;
};

}  // namespace

std::unique_ptr<TsoService> RegisterTsoService(const Host* host, rpc::ChannelPool* channels,
                                               metrics::Registry* registry, rpc::Server* server) {
  auto service = std::make_unique<Service>(host, channels, registry);
  server->RegisterStream(
      kTsoPath, [s = service.get()](rpc::ServerStream stream, const rpc::CallContext& context) {
        return s->Open(std::move(stream), context);
      });
  return service;
}

}  // namespace tikv::pd
