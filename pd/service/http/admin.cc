// Administration: safe points, markers, ids, timestamps, log level.
#include <charconv>
#include <set>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/service/http/api.h"
#include "pd/tso/tso.h"

namespace tikv::pd {
namespace {

void SafePoints(Api& api, const CallPtr& call) {
  call->Reply(api.cluster().With([](ClusterState& s) {
    Json list = Json::array();
    bool worker = false;
    for (const auto& [id, p] : s.gc.services()) {
      worker |= id == GcState::kGcWorker;
      list.push_back(
          {{"service_id", id}, {"expired_at", p.expired_at_s}, {"safe_point", p.safe_point}});
    }
    // gc_worker is there from the start and holds everything back until it has reported.
    if (!worker) {
      list.push_back({{"service_id", GcState::kGcWorker},
                      {"expired_at", std::numeric_limits<int64_t>::max()},
                      {"safe_point", s.gc.txn_safe_point()}});
    }
    return Json{{"service_gc_safe_points", list},
                {"min_service_gc_safe_point", nullptr},
                {"gc_safe_point", s.gc.gc_safe_point()}};
  }));
}

void DeleteSafePoint(Api& api, const CallPtr& call) {
  const std::string id = call->Param("id");
  api.cluster().Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        if (id == GcState::kGcWorker || !s.gc.services().contains(id)) {
          return std::vector<meta::Op>();
        }
        s.gc.RemoveService(id);
        return std::vector<meta::Op>{
            meta::Op::Delete(api.cluster().keys().ServiceSafePoints() + id)};
      },
      call->Then("Delete service GC safepoint successfully."));
}

void GetMarker(Api& api, const CallPtr& call, const std::string& name) {
  const bool marked = api.cluster().With([&](ClusterState& s) { return s.markers.contains(name); });
  call->Reply({{"marked", marked}});
}

void SetMarker(Api& api, const CallPtr& call, const std::string& name, bool marked) {
  const std::string key = api.cluster().keys().Marker(name);
  api.cluster().Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        if (!marked) {
          s.markers.erase(name);
          return std::vector<meta::Op>{meta::Op::Delete(key)};
        }
        s.markers.insert(name);
        return std::vector<meta::Op>{meta::Op::Put(key, "")};
      },
      [call](absl::Status s) { s.ok() ? call->Plain("", 200) : call->Error(s); });
}

// A restored cluster goes on above the ids of its backup.
void RaiseIds(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  const bool given = body->is_object() && body->contains("id") && (*body)["id"].is_string();
  if (!given) return call->Plain("invalid id value", 400);
  const std::string text = (*body)["id"].get<std::string>();
  uint64_t base = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), base);
  if (error != std::errc() || end != text.data() + text.size() || base >= uint64_t{1} << 62) {
    return call->Plain("invalid id value", 400);
  }
  const bool recovering =
      api.cluster().With([](ClusterState& s) { return s.markers.contains("snapshot-recovering"); });
  if (!recovering) {
    return call->Plain("can only recover alloc id when recovering mark marked", 403);
  }
  api.cluster().Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        s.ids.RaiseTo(base);
        std::string value;
        PutBig64(&value, s.ids.bound());
        return std::vector<meta::Op>{meta::Op::Put(api.cluster().keys().AllocId(), value)};
      },
      [call](absl::Status s) { s.ok() ? call->Plain("", 200) : call->Error(s); });
}

void ResetTs(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  const bool given = body->is_object() && body->contains("tso") && (*body)["tso"].is_string();
  if (!given) return call->Message("invalid tso value", 400);
  const std::string text = (*body)["tso"].get<std::string>();
  uint64_t ts = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ts);
  if (error != std::errc() || end != text.data() + text.size() || ts == 0) {
    return call->Message("invalid tso value", 400);
  }
  bool force = false;
  if (auto it = body->find("force-use-larger"); it != body->end()) {
    if (!it->is_boolean()) return call->Message("invalid force-use-larger value", 400);
    force = it->get<bool>();
  }
  api.cluster().host().tso->Reset(ts, force, [call](absl::Status s) {
    if (s.ok()) return call->Message("Reset ts successfully.");
    call->Message(Message(s), absl::IsPermissionDenied(s) ? 403 : 500);
  });
}

void SetLogLevel(Api& api, const CallPtr& call) {
  auto body = call->Body(false);
  if (!body) return;
  if (!body->is_string()) return call->Message("json: cannot unmarshal into string", 400);
  absl::Status s = ChangeLogLevel(api, body->get<std::string>());
  if (s.ok()) return call->Message("The log level is updated.");
  call->Message(Message(s), absl::IsInvalidArgument(s) ? 400 : 501);
}

// Online recovery of regions that lost most replicas is not offered; these answer as an idle one.
void ShowRecovery(Api&, const CallPtr& call) {
  call->Reply(Json::array({{{"info", "No on-going recovery."}}}));
}
void StartRecovery(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  const bool stores = body->is_object() && body->contains("stores") &&
                      (*body)["stores"].is_array() && !(*body)["stores"].empty();
  if (!stores) {
    return call->Message(
        "[PD:unsaferecovery:ErrUnsafeRecoveryInvalidInput]invalid input no store specified", 500);
  }
  for (const Json& store : (*body)["stores"]) {
    const uint64_t id = AsUint(store).value_or(0);
    const bool known =
        api.cluster().With([&](ClusterState& s) { return s.stores.Find(StoreId(id)) != nullptr; });
    if (known) continue;
    return call->Message(
        fmt::format("[PD:unsaferecovery:ErrUnsafeRecoveryInvalidInput]invalid input store {} "
                    "doesn't exist",
                    id),
        500);
  }
  call->Message("unsafe recovery is not supported", 501);
}
void AbortRecovery(Api&, const CallPtr& call) { call->Message("no ongoing unsafe recovery", 400); }

// Profiles of the original's runtime, which this server does not have.
void Profile(Api&, const CallPtr& call) {
  call->Plain(fmt::format("{}: no such profile in this server\n", call->Param("name")), 200);
}

void Middleware(Api&, const CallPtr& call) {
  call->Reply({{"audit", {{"enable-audit", "false"}}},
               {"rate-limit", {{"enable-rate-limit", "false"}, {"limiter-config", Json::object()}}},
               {"grpc-rate-limit",
                {{"enable-grpc-rate-limit", "false"}, {"grpc-limiter-config", Json::object()}}}});
}
void RefuseMiddleware(Api&, const CallPtr& call) {
  call->Message("rate limits cannot be changed", 501);
}

}  // namespace

absl::Status ChangeLogLevel(Api& api, const std::string& level) {
  static const std::set<std::string>* const kLevels =
      new std::set<std::string>{"debug", "info", "warn", "warning", "error", "fatal", "panic"};
  if (!kLevels->contains(level)) {
    return InvalidArgument("log level {} is illegal", level.substr(0, 64));
  }
  if (api.context().set_log_level == nullptr) {
    return Unimplemented("the log level cannot be changed");
  }
  api.context().set_log_level(level);
  return absl::OkStatus();
}

void RegisterAdminRoutes(Api& api) {
  const Served c = Served::kCluster, l = Served::kLeader;
  api.Route("GET", "gc/safepoint", c, SafePoints);
  api.Route("DELETE", "gc/safepoint/{id}", c, DeleteSafePoint);
  for (const std::string name : {"snapshot-recovering", "pitr-restore-mode"}) {
    const std::string path = "admin/cluster/markers/" + name;
    api.Route("GET", path, l, [name](Api& a, const CallPtr& call) { GetMarker(a, call, name); });
    api.Route("POST", path, l,
              [name](Api& a, const CallPtr& call) { SetMarker(a, call, name, true); });
    api.Route("DELETE", path, l,
              [name](Api& a, const CallPtr& call) { SetMarker(a, call, name, false); });
  }
  api.Route("POST", "admin/base-alloc-id", l, RaiseIds);
  api.Route("POST", "admin/reset-ts", l, ResetTs);
  api.Route("POST", "admin/log", Served::kHere, SetLogLevel);
  api.Route("GET", "admin/unsafe/remove-failed-stores/show", c, ShowRecovery);
  api.Route("POST", "admin/unsafe/remove-failed-stores", c, StartRecovery);
  api.Route("POST", "admin/unsafe/remove-failed-stores/abort", c, AbortRecovery);
  api.Route("GET", "debug/pprof/{name}", Served::kHere, Profile);
  api.Route("GET", "service-middleware/config", l, Middleware);
  api.Route("POST", "service-middleware/config", l, RefuseMiddleware);
  api.Route("POST", "service-middleware/config/rate-limit", l, RefuseMiddleware);
  api.Route("POST", "service-middleware/config/grpc-rate-limit", l, RefuseMiddleware);
}

}  // namespace tikv::pd
