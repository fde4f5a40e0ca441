#include "server/service/health_service.h"

#include <utility>

#include "lib/base/status.h"

namespace tikv::server {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthListRequest;
using grpc::health::v1::HealthListResponse;

// One Watch call: answers its only request, then hears of changes until it ends.
class HealthService::Watcher : public rpc::TypedStreamHandler<HealthCheckRequest> {
 public:
  Watcher(HealthService* service, rpc::TypedStream<Response> stream)
      : service_(service), stream_(std::move(stream)) {}

  void OnMessage(const HealthCheckRequest& request) override {
    if (request.service().empty()) {
      id_ = service_->AddWatcher(stream_);
      return;
    }
    // By the health protocol an unknown service is watched too: it might come up one day.
    Response response;
    response.set_status(Response::SERVICE_UNKNOWN);
    stream_.Send(response);
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override { service_->RemoveWatcher(id_); }

 private:
  HealthService* service_;
  rpc::TypedStream<Response> stream_;
  uint64_t id_ = 0;
};

void HealthService::Register(rpc::Server* server) {
  rpc::Unary<HealthCheckRequest, Response>(
      *server, "/grpc.health.v1.Health/Check",
      [this](const HealthCheckRequest& request, const rpc::CallContext&,
             rpc::Responder<Response> responder) {
        if (!request.service().empty()) {
          return responder.Fail(NotFound("unknown service {}", request.service()));
        }
        Response response;
        {
          std::lock_guard lock(mutex_);
          response.set_status(status_);
        }
        responder.Reply(response);
      });
  rpc::Unary<HealthListRequest, HealthListResponse>(
      *server, "/grpc.health.v1.Health/List",
      [this](const HealthListRequest&, const rpc::CallContext&,
             rpc::Responder<HealthListResponse> responder) {
        HealthListResponse response;
        {
          std::lock_guard lock(mutex_);
          (*response.mutable_statuses())[""].set_status(status_);
        }
        responder.Reply(response);
      });
  rpc::Stream<HealthCheckRequest, Response>(
      *server, "/grpc.health.v1.Health/Watch",
      [this](rpc::TypedStream<Response> stream, const rpc::CallContext&) {
        return std::make_unique<Watcher>(this, std::move(stream));
      });
}

void HealthService::SetServing(bool serving) {
  std::lock_guard lock(mutex_);
  const Status status = serving ? Response::SERVING : Response::NOT_SERVING;
  if (status == status_) return;
  status_ = status;
  Response response;
  response.set_status(status);
  for (auto& [id, watcher] : watchers_) watcher.Send(response);
}

// Under the lock, so that the first state and a change cannot overtake each other.
uint64_t HealthService::AddWatcher(rpc::TypedStream<Response> stream) {
  std::lock_guard lock(mutex_);
  Response response;
  response.set_status(status_);
  stream.Send(response);
  watchers_.emplace(++next_watcher_, std::move(stream));
  return next_watcher_;
}

void HealthService::RemoveWatcher(uint64_t id) {
  std::lock_guard lock(mutex_);
  watchers_.erase(id);
}

}  // namespace tikv::server
