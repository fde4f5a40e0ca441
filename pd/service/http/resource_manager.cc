// The settings that clients' resource controllers work with.
#include "lib/base/status.h"
#include "pd/meta/meta_store.h"
#include "pd/service/http/api.h"

namespace tikv::pd {

// Costs in request units: a fixed part per request and per batch, and per byte and CPU time.
const char kControllerDefaults[] = R"({
  "degraded-mode-wait-duration": "0s",
  "ltb-max-wait-duration": "30s",
  "ltb-token-rpc-max-delay": "1s",
  "request-unit": {
    "read-base-cost": 0.125,
    "read-per-batch-base-cost": 0.5,
    "read-cost-per-byte": 0.0000152587890625,
    "write-base-cost": 1,
    "write-per-batch-base-cost": 1,
    "write-cost-per-byte": 0.0009765625,
    "read-cpu-ms-cost": 0.3333333333333333
  },
  "enable-controller-trace-log": "false",
  "push-metrics-address": "",
  "push-metrics-interval": "0s"
})";

namespace {

// Where TiDB and TiKV read and watch them, too.
constexpr char kKey[] = "resource_group/controller";

Json Stored(const absl::StatusOr<meta::RangeResult>& found) {
  Json config = Json::parse(kControllerDefaults);
  if (!found.ok() || found->kvs.empty()) return config;
  const Json stored = Json::parse(found->kvs.front().value, nullptr, false);
  if (stored.is_object()) config.merge_patch(stored);
  return config;
}

// A value under its name, at the top or in "request-unit".
absl::Status Put(const std::string& key, const Json& value, Json* config) {
  constexpr std::string_view kSection = "request-unit.";
  const bool in_section = key.starts_with(kSection);
  Json& place = in_section ? (*config)["request-unit"] : *config;
  auto it = place.find(in_section ? key.substr(kSection.size()) : key);
  if (it == place.end()) return InvalidArgument("config item {} not found", key);
  const bool fits = it->is_number()   ? value.is_number() && value.get<double>() >= 0
                    : it->is_string() ? value.is_string() || value.is_boolean()
                                      : value.is_object();
  if (!fits) return InvalidArgument("config item {}: a value of another type", key);
  if (it->is_object()) {
    for (const auto& [name, inner] : value.items()) {
      RETURN_IF_ERROR(Put(std::string(kSection) + name, inner, config));
    }
    return absl::OkStatus();
  }
  *it = value.is_boolean() ? Json(value.get<bool>() ? "true" : "false") : value;
  return absl::OkStatus();
}

void Show(Api& api, const CallPtr& call) {
  api.meta().Range(meta::KeyRange::Single(kKey), {},
                   [call](absl::StatusOr<meta::RangeResult> found) {
                     found.ok() ? call->Reply(Stored(found)) : call->Error(found.status());
                   });
}

void Set(Api& api, const CallPtr& call) {
  auto body = call->Body(false);
  if (!body) return;
  if (!body->is_object()) return call->Message("json: cannot unmarshal into map", 400);
  api.meta().Range(meta::KeyRange::Single(kKey), {},
                   [&api, call, items = *std::move(body)](absl::StatusOr<meta::RangeResult> found) {
                     if (!found.ok()) return call->Error(found.status());
                     Json config = Stored(found);
                     for (const auto& [key, value] : items.items()) {
                       if (absl::Status s = Put(key, value, &config); !s.ok())
                         return call->Error(s);
                     }
                     meta::Txn txn;
                     txn.then = {meta::Op::Put(kKey, Dump(config, false))};
                     api.meta().Commit(
                         std::move(txn), [call](absl::StatusOr<meta::TxnResult> result) {
                           result.ok() ? call->Message("Success!") : call->Error(result.status());
                         });
                   });
}

}  // namespace

void RegisterResourceManagerRoutes(Api& api) {
  const std::string path = "/resource-manager/api/v1/config/controller";
  api.Route("GET", path, Served::kLeader, Show);
  api.Route("POST", path, Served::kLeader, Set);
}

}  // namespace tikv::pd
