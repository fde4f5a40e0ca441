#include "pd/service/etcd/context.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "lib/base/status.h"

namespace tikv::pd::etcd {

absl::StatusOr<std::string> MessageToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return Internal("the answer cannot be shown as JSON");
  return json;
}

absl::Status JsonToMessage(const std::string& json, google::protobuf::Message* message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  auto status =
      google::protobuf::util::JsonStringToMessage(json.empty() ? "{}" : json, message, options);
  if (!status.ok()) return InvalidArgument("the body is not the JSON of this request");
  return absl::OkStatus();
}

http::Response JsonError(const absl::Status& status) {
  int http = 500;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      http = 400;
      break;
    case absl::StatusCode::kNotFound:
      http = 404;
      break;
    case absl::StatusCode::kResourceExhausted:
      http = 429;
      break;
    case absl::StatusCode::kUnavailable:
      http = 503;
      break;
    default:
      break;
  }
  const nlohmann::json body = {{"error", std::string(Message(status))},
                               {"message", std::string(Message(status))},
                               {"code", static_cast<int>(status.code())}};
  return http::Response::Json(http,
                              body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void ReadWhenReady(EtcdContext* context, bool serializable, Callback<absl::Status> read) {
  if (serializable) return std::move(read)(absl::OkStatus());
  context->store->replica().Linearize(
      [context, read = std::move(read)](absl::Status status) mutable {
        if (!context->strand->InThread()) return std::move(read)(std::move(status));
        context->pool->Post([status = std::move(status), read = std::move(read)]() mutable {
          std::move(read)(std::move(status));
        });
      });
}

}  // namespace tikv::pd::etcd
