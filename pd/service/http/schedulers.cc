// Schedulers, their settings, and pausing of checkers.
#include <algorithm>
#include <cmath>

#include "lib/base/status.h"
#include "pd/service/http/api.h"

namespace tikv::pd {
namespace {

constexpr char kNotFound[] = "[PD:scheduler:ErrSchedulerNotFound]scheduler not found";
constexpr char kApplied[] = "The scheduler has been applied to the store.";

// Seconds of a pause, bounded to what a time can hold.
std::optional<int64_t> Delay(const CallPtr& call, const Json& body) {
  if (!body.is_object() || !body.contains("delay")) {
    call->Message("missing pause time", 400);
    return std::nullopt;
  }
  const Json& d = body["delay"];
  if (!d.is_number() || !(d.get<double>() >= 0) || d.get<double>() > 1e9) {
    call->Message("missing pause time", 400);
    return std::nullopt;
  }
  return static_cast<int64_t>(d.get<double>());
}

void List(Api& api, const CallPtr& call) {
  const std::string status = call->Query("status");
  const bool times = call->request().Query("timestamp").has_value();
  const int64_t now = api.cluster().NowMs();
  call->Reply(api.cluster().With([&](ClusterState& s) {
    Json out = Json::array();
    for (const SchedulerEntry& e : s.schedulers) {
      if (status == "disabled" || !s.prepared) continue;
      if (status == "paused" && !e.Paused(now)) continue;
      if (status == "paused" && times) {
        out.push_back({{"name", e.scheduler->name()},
                       {"paused_at", e.paused_at_ms / 1000},
                       {"resume_at", e.paused_until_ms / 1000}});
      } else {
        out.push_back(e.scheduler->name());
      }
    }
    return out;
  }));
}

// Adds the store to a scheduler that acts on stores.  NotFound for an unknown store.
absl::Status AddStore(ClusterState& s, SchedulerEntry* e, uint64_t store) {
  RETURN_IF_ERROR(s.stores.Get(StoreId(store)).status());
  e->scheduler->AddStore(StoreId(store));
  e->next_run_ms = 0;
  e->interval_ms = 0;
  return absl::OkStatus();
}

void Add(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  if (!body->is_object()) return call->InputError("json: cannot unmarshal into map");
  const std::string name = body->contains("name") && (*body)["name"].is_string()
                               ? (*body)["name"].get<std::string>()
                               : "";
  if (name.empty()) return call->Message("missing scheduler name", 400);
  auto fresh = std::shared_ptr<Scheduler>(NewScheduler(name));
  if (fresh == nullptr) return call->Message("unknown scheduler", 400);
  std::optional<uint64_t> store;
  if (fresh->PerStore()) {
    store = body->contains("store_id") ? AsUint((*body)["store_id"]) : std::nullopt;
    if (!store) return call->Message("missing store id", 400);
  }
  const bool there =
      api.cluster().With([&](ClusterState& s) { return s.FindScheduler(name) != nullptr; });
  if (there && !store) {
    return call->Message("[PD:scheduler:ErrSchedulerExisted]scheduler existed", 400);
  }
  api.cluster().ChangeSchedulers(
      [&](ClusterState& s) -> absl::Status {
        SchedulerEntry* e = s.FindScheduler(name);
        SchedulerEntry made;
        if (e == nullptr) made.scheduler = NewScheduler(name);
        if (store) {
          absl::Status added = AddStore(s, e != nullptr ? e : &made, *store);
          if (!added.ok()) return Internal("{}", Message(added));
        }
        if (e == nullptr) s.schedulers.push_back(std::move(made));
        return absl::OkStatus();
      },
      call->Then(there ? kApplied : "The scheduler is created."));
}

// "evict-leader-scheduler-7" names one store of a scheduler.
std::optional<std::pair<std::string, uint64_t>> StoreForm(const std::string& name) {
  for (const char* base : {"evict-leader-scheduler", "grant-leader-scheduler"}) {
    const std::string prefix = std::string(base) + "-";
    if (!name.starts_with(prefix)) continue;
    const std::string digits = name.substr(prefix.size());
    if (digits.empty() || digits.size() > 19 ||
        digits.find_first_not_of("0123456789") != digits.npos) {
      return std::nullopt;
    }
    return std::pair(std::string(base), std::stoull(digits));
  }
  return std::nullopt;
}

// Takes a store off; without stores left the scheduler ends.
absl::Status RemoveStore(ClusterState& s, const std::string& name, uint64_t store) {
  SchedulerEntry* e = s.FindScheduler(name);
  if (e == nullptr || !e->scheduler->RemoveStore(StoreId(store))) {
    return NotFound("[PD:scheduler:ErrScheduleConfigNotExist]the config does not exist");
  }
  if (e->scheduler->Stores().empty()) {
    std::erase_if(s.schedulers, [&](const auto& x) { return x.scheduler->name() == name; });
  }
  return absl::OkStatus();
}

void Remove(Api& api, const CallPtr& call) {
  const std::string name = call->Param("name");
  api.cluster().ChangeSchedulers(
      [&](ClusterState& s) -> absl::Status {
        if (auto form = StoreForm(name)) {
          absl::Status removed = RemoveStore(s, form->first, form->second);
          return removed.ok() ? removed : NotFound("{}", kNotFound);
        }
        const size_t gone =
            std::erase_if(s.schedulers, [&](const auto& e) { return e.scheduler->name() == name; });
        return gone > 0 ? absl::OkStatus() : NotFound("{}", kNotFound);
      },
      call->Then("The scheduler is removed."));
}

void Pause(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  auto delay = Delay(call, *body);
  if (!delay) return;
  const std::string name = call->Param("name");
  const int64_t now = api.cluster().NowMs();
  const bool found = api.cluster().With([&](ClusterState& s) {
    bool any = name == "all";
    for (SchedulerEntry& e : s.schedulers) {
      if (name != "all" && e.scheduler->name() != name) continue;
      any = true;
      e.paused_at_ms = now;
      e.paused_until_ms = now + *delay * 1000;
    }
    return any;
  });
  found ? call->Message("Pause or resume the scheduler successfully.")
        : call->Message(kNotFound, 500);
}

void Diagnostic(Api& api, const CallPtr& call) {
  const std::string name = call->Param("name");
  const int64_t now = api.cluster().NowMs();
  const bool known = name == "balance-leader-scheduler" || name == "balance-region-scheduler";
  if (!known) {
    return call->Message(
        fmt::format("[PD:schedule:ErrSchedulerUndiagnosable]scheduler {} is not diagnosable",
                    name.substr(0, 64)),
        500);
  }
  call->Reply(api.cluster().With([&](ClusterState& s) -> Json {
    SchedulerEntry* e = s.FindScheduler(name);
    std::string status = "disabled", summary;
    if (e != nullptr) {
      status = e->Paused(now) ? "paused" : e->found_work ? "scheduling" : "normal";
      if (s.config.schedule().halted) status = "halted";
    }
    return {{"name", name}, {"status", status}, {"summary", summary}, {"timestamp", now / 1000}};
  }));
}

void NoRoute(const CallPtr& call) { call->Plain("404 page not found\n", 404); }

void GetConfig(Api& api, const CallPtr& call) {
  const std::string name = call->Param("name");
  auto config = api.cluster().With([&](ClusterState& s) -> std::optional<Json> {
    SchedulerEntry* e = s.FindScheduler(name);
    if (e == nullptr) return std::nullopt;
    return e->scheduler->ConfigJson();
  });
  config ? call->Reply(*config) : NoRoute(call);
}

void SetConfig(Api& api, const CallPtr& call) {
  const std::string name = call->Param("name");
  const bool known =
      api.cluster().With([&](ClusterState& s) { return s.FindScheduler(name) != nullptr; });
  if (!known) return NoRoute(call);
  auto body = call->Body();
  if (!body) return;
  const bool per_store = api.cluster().With(
      [&](ClusterState& s) { return s.FindScheduler(name)->scheduler->PerStore(); });
  api.cluster().ChangeSchedulers(
      [&](ClusterState& s) -> absl::Status {
        SchedulerEntry* e = s.FindScheduler(name);
        if (e == nullptr) return NotFound("{}", kNotFound);
        Json items = *body;
        if (per_store && items.is_object() && items.contains("store_id")) {
          auto store = AsUint(items["store_id"]);
          if (!store) return InvalidArgument("please input a right store id");
          RETURN_IF_ERROR(AddStore(s, e, *store));
          items.erase("store_id");
          items.erase("name");
          if (items.empty()) return absl::OkStatus();
        }
        return e->scheduler->Configure(items);
      },
      call->Then(per_store ? kApplied : "Config is updated."));
}

void DeleteConfig(Api& api, const CallPtr& call) {
  auto store = call->Id(call->Param("store"));
  if (!store) return;
  const std::string name = call->Param("name");
  api.cluster().ChangeSchedulers(
      [&](ClusterState& s) -> absl::Status {
        if (s.FindScheduler(name) == nullptr) {
          return NotFound("[PD:scheduler:ErrScheduleConfigNotExist]the config does not exist");
        }
        return RemoveStore(s, name, *store);
      },
      call->Then("The scheduler has been removed from the store."));
}

void GetChecker(Api& api, const CallPtr& call) {
  const std::string name = call->Param("name");
  if (!ReplicaChecker::Known(name)) {
    return call->Message("[PD:checker:ErrCheckerNotFound]checker not found", 500);
  }
  const int64_t now = api.cluster().NowMs();
  const bool paused =
      api.cluster().With([&](ClusterState& s) { return s.checker.Paused(name, now); });
  call->Reply({{"paused", paused}});
}

void PauseChecker(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  auto delay = Delay(call, *body);
  if (!delay) return;
  const std::string name = call->Param("name");
  if (!ReplicaChecker::Known(name)) {
    return call->Message("[PD:checker:ErrCheckerNotFound]checker not found", 500);
  }
  const int64_t until = api.cluster().NowMs() + *delay * 1000;
  api.cluster().With([&](ClusterState& s) { s.checker.Pause(name, *delay == 0 ? 0 : until); });
  call->Message(*delay == 0 ? "Resume the checker successfully."
                            : "Pause the checker successfully.");
}

}  // namespace

void RegisterSchedulerRoutes(Api& api) {
  const Served c = Served::kCluster;
  api.Route("GET", "schedulers", c, List);
  api.Route("POST", "schedulers", c, Add);
  api.Route("DELETE", "schedulers/{name}", c, Remove);
  api.Route("POST", "schedulers/{name}", c, Pause);
  api.Route("GET", "schedulers/diagnostic/{name}", c, Diagnostic);
  api.Route("GET", "scheduler-config/{name}/list", c, GetConfig);
  api.Route("GET", "scheduler-config/{name}/config", c, GetConfig);
  api.Route("POST", "scheduler-config/{name}/config", c, SetConfig);
  api.Route("DELETE", "scheduler-config/{name}/delete/{store}", c, DeleteConfig);
  api.Route("GET", "checker/{name}", c, GetChecker);
  api.Route("POST", "checker/{name}", c, PauseChecker);
}

}  // namespace tikv::pd
