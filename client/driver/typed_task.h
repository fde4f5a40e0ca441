// RegionTask over the messages of one method.
#pragma once

#include <string>
#include <utility>

#include "client/driver/methods.h"
#include "client/driver/owed.h"
#include "client/driver/region_task.h"
#include "lib/base/status.h"

namespace tikv::client {

// The text of a reply's own `error` field; replies without one have none.
template <class Response>
std::string ErrorText(const Response& response) {
  if constexpr (requires { response.error(); }) {
    return response.error();
  } else {
    return {};
  }
}

// Sends what Build makes for the region found, keeps the reply in response().
template <class Method>
class TypedTask : public RegionTask {
 public:
  using Request = typename Method::Request;
  using Response = typename Method::Response;
  using RegionTask::RegionTask;

 protected:
  // The request for this region; called again for each attempt.
  virtual Request Build(const Target& target) = 0;
  // The end; `status` also covers the reply's own error text.
  virtual void Done(absl::Status status) = 0;
  Response& response() { return response_; }

  bool Idempotent() const override { return Method::kIdempotent; }

 private:
  void Attempt(const Target& target, kvrpcpb::Context context, std::chrono::milliseconds timeout,
               Judgement judge) final {
    Request request = Build(target);
    *request.mutable_context() = std::move(context);
    auto self = std::static_pointer_cast<TypedTask>(shared_from_this());
    if constexpr (Method::kBatched) {
      StoreTransport::BatchRequest batch;
      *Method::In(&batch) = std::move(request);
      driver_->stores->Batched(
          target.address, std::move(batch), timeout,
          [self,
           judge = std::move(judge)](absl::StatusOr<StoreTransport::BatchResponse> reply) mutable {
            if (!reply.ok()) return std::move(judge)(reply.status());
            Response* response = Method::Out(&*reply);
            if (response == nullptr)
              return std::move(judge)(Internal("the store sent another reply"));
            self->Take(std::move(*response), std::move(judge));
          });
    } else {
      driver_->stores->Unary(
          target.address, Method::kPath, request.SerializeAsString(), timeout,
          [self, judge = std::move(judge)](absl::StatusOr<std::string> reply) mutable {
            if (!reply.ok()) return std::move(judge)(reply.status());
            Response response;
            if (!response.ParseFromString(*reply)) {
              return std::move(judge)(Internal("the store sent a malformed reply"));
            }
            self->Take(std::move(response), std::move(judge));
          });
    }
  }

  void Take(Response response, Judgement judge) {
    response_ = std::move(response);
    std::optional<errorpb::Error> error;
    if (response_.has_region_error()) error = std::move(*response_.mutable_region_error());
    std::move(judge)(std::move(error));
  }

  void Finish(absl::Status status) final {
    if (status.ok()) {
      if (std::string text = ErrorText(response_); !text.empty()) {
        status = InvalidArgument("{}", text);
      }
    }
    Done(std::move(status));
  }

  Response response_;
};

// One request that is the same wherever its key lies.
template <class Method>
class PointTask final : public TypedTask<Method> {
 public:
  using Result = Callback<absl::StatusOr<typename Method::Response>>;

  PointTask(DriverContext* driver, std::string key, MonotonicTime deadline,
            typename Method::Request request, Result done)
      : TypedTask<Method>(driver, std::move(key), /*before=*/false, deadline),
        request_(std::move(request)),
        done_(std::move(done)) {}

 private:
  typename Method::Request Build(const Target&) override { return request_; }
  void Done(absl::Status status) override {
    if (!status.ok()) return done_.Give(std::move(status));
    done_.Give(std::move(this->response()));
  }

  const typename Method::Request request_;
  Owed<typename Method::Response> done_;
};

}  // namespace tikv::client
