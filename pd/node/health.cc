#include "pd/node/health.h"

#include "lib/base/status.h"
#include "lib/rpc/typed.h"
#include "proto/health.pb.h"

namespace tikv::pd {
namespace {

using namespace grpc::health::v1;

HealthCheckResponse Serving() {
  HealthCheckResponse response;
  response.set_status(HealthCheckResponse::SERVING);
  return response;
}

class WatchHandler : public rpc::TypedStreamHandler<HealthCheckRequest> {
 public:
  explicit WatchHandler(rpc::TypedStream<HealthCheckResponse> stream)
      : stream_(std::move(stream)) {}
  // The state does not change while the process lives, so one message is all.
  void OnMessage(const HealthCheckRequest& request) override {
    HealthCheckResponse response = Serving();
    if (!request.service().empty()) response.set_status(HealthCheckResponse::SERVICE_UNKNOWN);
    stream_.Send(response);
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override {}

 private:
  const rpc::TypedStream<HealthCheckResponse> stream_;
};

}  // namespace

void RegisterHealth(rpc::Server* server) {
  rpc::Unary<HealthCheckRequest, HealthCheckResponse>(
      *server, "/grpc.health.v1.Health/Check",
      [](const HealthCheckRequest& request, const rpc::CallContext&,
         rpc::Responder<HealthCheckResponse> responder) {
        if (!request.service().empty()) return responder.Fail(NotFound("unknown service"));
        responder.Reply(Serving());
      });
  rpc::Stream<HealthCheckRequest, HealthCheckResponse>(
      *server, "/grpc.health.v1.Health/Watch",
      [](rpc::TypedStream<HealthCheckResponse> stream, const rpc::CallContext&) {
        return std::make_unique<WatchHandler>(std::move(stream));
      });
}

}  // namespace tikv::pd
