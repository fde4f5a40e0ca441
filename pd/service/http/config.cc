// The run-time configuration.
#include <charconv>

#include "lib/base/status.h"
#include "lib/config/units.h"
#include "pd/meta/meta_store.h"
#include "pd/service/http/api.h"

namespace tikv::pd {
namespace {

constexpr char kUpdated[] = "The config is updated.";

// Sections of the original whose features are another's here or have no settings.
constexpr char kOtherSections[] = R"({
  "labels": {},
  "dashboard": {"tidb-cacert-path": "", "tidb-cert-path": "", "tidb-key-path": "",
                "public-path-prefix": "/dashboard", "internal-proxy": false,
                "enable-telemetry": false, "enable-experimental": false,
                "disable-custom-prom-addr": false},
  "keyspace": {"pre-alloc": null, "wait-region-split": true, "wait-region-split-timeout": "30s",
               "check-region-split-interval": "50ms", "meta-service-groups": null},
  "micro-service": {"enable-scheduling-fallback": "true", "enable-tso-dynamic-switching": "false",
                    "enable-resource-manager-fallback": "true"}
})";

// The names under which the original shows some keys of its file.
void RenameAsShown(Json* config) {
  const std::pair<const char*, const char*> kShown[] = {
      {"auto-compaction-retention", "auto-compaction-retention-v2"},
      {"tick-interval", "TickInterval"},
      {"election-interval", "ElectionInterval"},
      {"enable-prevote", "PreVote"}};
  for (const auto& [name, shown] : kShown) {
    auto it = config->find(name);
    if (it == config->end()) continue;
    (*config)[shown] = Json(*it);
    config->erase(name);
  }
}

// What this member runs with, then the run-time sections.
Json WholeConfig(Api& api, const Json& sections) {
  Json out = Json::parse(api.cluster().host().process_config);
  RenameAsShown(&out);
  // A number of bytes, there.
  if (auto it = out.find("max-request-bytes"); it != out.end() && it->is_string()) {
    if (auto size = config::ParseSize(it->get<std::string>()); size.ok()) *it = size->bytes;
  }
  out["enable-grpc-gateway"] = true;
  out["enable-local-tso"] = false;
  for (const auto& [name, value] : sections.items()) out[name] = value;
  const Json others = Json::parse(kOtherSections);
  for (const auto& [name, value] : others.items()) out[name] = value;
  out["controller"] = Json::parse(kControllerDefaults);
  return out;
}

void GetAll(Api& api, const CallPtr& call) {
  const Json sections =
      api.cluster().With([](ClusterState& s) { return Json(s.config.document()); });
  call->Reply(WholeConfig(api, sections));
}

void GetDefault(Api& api, const CallPtr& call) {
  call->Reply(WholeConfig(api, Config::Defaults()));
}

// ?ttlSecond=: whole seconds, 0 drops the value again.  nullopt after a 400.
std::optional<int64_t> Ttl(const CallPtr& call, const std::string& text) {
  int64_t ttl = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ttl);
  const bool whole =
      error == std::errc() && end == text.data() + text.size() && ttl >= 0 && ttl < 1'000'000'000;
  if (whole) return ttl;
  call->Message(GoNumberError("Atoi", text), 400);
  return std::nullopt;
}

void Set(Api& api, const CallPtr& call) {
  auto body = call->Body(false);
  if (!body) return;
  // No part of the stored configuration, but of the original's.
  if (auto level = body->find("log.level"); body->is_object() && level != body->end()) {
    if (!level->is_string()) return call->Message("the log level is illegal", 400);
    absl::Status s = ChangeLogLevel(api, level->get<std::string>());
    if (!s.ok()) return call->Error(s);
    body->erase(level);
    if (body->empty()) return call->Message(kUpdated);
  }
  const std::string ttl_text = call->Query("ttlSecond");
  if (ttl_text.empty()) {
    return api.cluster().ChangeConfig([&](Config& c) { return c.Update(*body); },
                                      call->Then(kUpdated));
  }
  auto ttl = Ttl(call, ttl_text);
  if (!ttl) return;
  const int64_t until = *ttl == 0 ? 0 : api.cluster().NowMs() + *ttl * 1000;
  absl::Status s = api.cluster().With(
      [&](ClusterState& state) { return state.config.SetTemporary(*body, until); });
  s.ok() ? call->Message("The ttl config is updated.") : call->Error(s);
}

void GetSection(Api& api, const CallPtr& call, const std::string& section) {
  call->Reply(api.cluster().With([&](ClusterState& s) { return Json(s.config.Section(section)); }));
}

void SetSection(Api& api, const CallPtr& call, const std::string& section) {
  auto body = call->Body();
  if (!body) return;
  api.cluster().ChangeConfig([&](Config& c) { return c.UpdateSection(section, *body); },
                             [call](absl::Status s) {
                               if (s.ok()) return call->Message(kUpdated);
                               absl::IsInvalidArgument(s) ? call->InputError(Message(s))
                                                          : call->Error(s);
                             });
}

void SetVersion(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  if (!body->is_object()) return call->InputError("json: cannot unmarshal into map");
  auto it = body->find("cluster-version");
  if (it == body->end() || !it->is_string()) return call->Message("not set cluster-version", 400);
  const std::string version = it->get<std::string>();
  api.cluster().ChangeConfig(
      [&](Config& c) -> absl::Status {
        absl::Status s = c.SetClusterVersion(version);
        return s.ok() ? s
                      : FailedPrecondition("{} is not in dotted-tri format", version.substr(0, 64));
      },
      call->Then(kUpdated));
}

void SetLabelProperty(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  if (!body->is_object()) return call->InputError("json: cannot unmarshal into map");
  std::map<std::string, std::string> fields;
  for (const char* name : {"type", "action", "label-key", "label-value"}) {
    auto it = body->find(name);
    if (it == body->end()) continue;
    if (!it->is_string()) return call->InputError("json: cannot unmarshal into string");
    fields[name] = it->get<std::string>();
  }
  api.cluster().ChangeConfig(
      [&](Config& c) {
        return c.SetLabelProperty(fields["type"], fields["action"], fields["label-key"],
                                  fields["label-value"]);
      },
      call->Then(kUpdated));
}

void ReplicationStatus(Api& api, const CallPtr& call) {
  call->Reply(api.cluster().With([](ClusterState& s) -> Json {
    return {{"mode", s.config.Section("replication-mode").at("replication-mode")},
            {"dr-auto-sync",
             {{"label_key", ""}, {"state", ""}, {"state_id", 0}, {"total_regions", 0}}}};
  }));
}

}  // namespace

void RegisterConfigRoutes(Api& api) {
  const Served l = Served::kLeader;
  api.Route("GET", "config", l, GetAll);
  api.Route("POST", "config", l, Set);
  api.Route("GET", "config/default", l, GetDefault);
  const std::pair<const char*, const char*> sections[] = {{"schedule", "schedule"},
                                                          {"replicate", "replication"},
                                                          {"replication-mode", "replication-mode"}};
  for (const auto& [path, section] : sections) {
    const std::string name = section;
    api.Route("GET", fmt::format("config/{}", path), l,
              [name](Api& a, const CallPtr& c) { GetSection(a, c, name); });
    api.Route("POST", fmt::format("config/{}", path), l,
              [name](Api& a, const CallPtr& c) { SetSection(a, c, name); });
  }
  for (const std::string name : {"pd-server", "cluster-version", "label-property"}) {
    api.Route("GET", "config/" + name, l,
              [name](Api& a, const CallPtr& c) { GetSection(a, c, name); });
  }
  api.Route("POST", "config/cluster-version", l, SetVersion);
  api.Route("POST", "config/label-property", l, SetLabelProperty);
  api.Route("GET", "replication_mode/status", l, ReplicationStatus);
}

}  // namespace tikv::pd
