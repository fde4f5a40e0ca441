// Stores: lists, states, labels, weights, limits.
#include <array>
#include <set>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/core/duration.h"
#include "pd/schedule/filter.h"
#include "pd/service/http/api.h"
#include "pd/service/http/shapes.h"

namespace tikv::pd {

namespace {

// Four digits, as tools know sizes from the original: "252GiB", "59.72GiB".
std::string ShownSize(uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kUnits = {"B",   "KiB", "MiB", "GiB",
                                                      "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024; ++unit) value /= 1024;
  return fmt::format("{:.4g}{}", value, kUnits[unit]);
}

// What is empty is left out.
Json MetaJson(const metapb::Store& meta) {
  Json out = {{"id", meta.id()}, {"address", meta.address()}};
  auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  auto number = [&](const char* name, int64_t value) {
    if (value != 0) out[name] = value;
  };
  number("state", meta.state());
  for (const auto& l : meta.labels()) {
    out["labels"].push_back({{"key", l.key()}, {"value", l.value()}});
  }
  text("version", meta.version());
  text("peer_address", meta.peer_address());
  text("status_address", meta.status_address());
  text("git_hash", meta.git_hash());
  number("start_timestamp", meta.start_timestamp());
  text("deploy_path", meta.deploy_path());
  number("last_heartbeat", meta.last_heartbeat());
  if (meta.physically_destroyed()) out["physically_destroyed"] = true;
  number("node_state", meta.node_state());
  return out;
}

}  // namespace

Json StoreJson(const ClusterView& view, const StoreInfo& s) {
  Json store = MetaJson(s.meta);
  store["state_name"] = s.StateName(view.now_ms, view.config.schedule().max_store_down_ms);

  const StoreRegions& held = view.regions.OfStore(s.id());
  Json status = {{"capacity", ShownSize(s.stats.capacity())},
                 {"available", ShownSize(s.stats.available())},
                 {"used_size", ShownSize(s.stats.used_size())},
                 {"leader_count", held.leaders.size()},
                 {"leader_weight", s.leader_weight},
                 {"leader_score", LeaderScore(view, s, 0)},
                 {"leader_size", held.leader_size_mib},
                 {"region_count", held.region_count()},
                 {"region_weight", s.region_weight},
                 {"region_score", RegionScore(view, s, 0)},
                 {"region_size", held.region_size_mib}};
  auto optional = [&](const char* name, uint64_t n) {
    if (n > 0) status[name] = n;
  };
  optional("learner_count", held.learners.size());
  optional("pending_peer_count", held.pending.size());
  optional("slow_score", s.stats.slow_score());
  optional("sending_snap_count", s.stats.sending_snap_count());
  optional("receiving_snap_count", s.stats.receiving_snap_count());
  if (s.stats.is_busy()) status["is_busy"] = true;
  if (s.pause_leader_in) status["pause_leader_transfer_in"] = true;
  if (s.pause_leader_out) status["pause_leader_transfer_out"] = true;
  if (s.meta.start_timestamp() > 0) {
    status["start_ts"] = FormatTime(s.meta.start_timestamp() * 1'000'000'000);
  }
  status["last_heartbeat_ts"] = FormatTime(s.meta.last_heartbeat());
  status["uptime"] = FormatDuration(s.uptime_s() * 1'000'000'000);
  return {{"store", store}, {"status", status}};
}

namespace {

template <class F>
Json StoreList(Api& api, F fits) {
  return api.cluster().WithView([&](ClusterState& state, const ClusterView& view) {
    Json list = Json::array();
    for (const auto& [id, s] : state.stores.all()) {
      if (fits(s, view)) list.push_back(StoreJson(view, s));
    }
    return Json{{"count", list.size()}, {"stores", list}};
  });
}

void GetStores(Api& api, const CallPtr& call) {
  std::set<int> states;
  for (const auto& [name, value] : call->request().query) {
    if (name != "state") continue;
    if (value.empty() || value.find_first_not_of("0123456789-") != value.npos || value.size() > 9) {
      return call->Message(GoNumberError("ParseInt", value), 500);
    }
    const int state = std::atoi(value.c_str());
    if (state < 0 || state > 2) {
      return call->Message(fmt::format("unknown StoreState: {}", state), 500);
    }
    states.insert(state);
  }
  if (states.empty()) states = {metapb::Up, metapb::Offline};
  call->Reply(StoreList(api, [&](const StoreInfo& s, const ClusterView&) {
    return states.contains(s.meta.state());
  }));
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

void CheckStores(Api& api, const CallPtr& call) {
  static const std::set<std::string>* const kStates =
      new std::set<std::string>{"up",        "offline", "tombstone", "disconnected", "down",
                                "preparing", "serving", "removing",  "removed"};
  std::set<std::string> wanted;
  for (const auto& [name, value] : call->request().query) {
    if (name != "state") continue;
    if (!kStates->contains(Lower(value))) {
      return call->Message(fmt::format("unknown StoreState: {}", value.substr(0, 64)), 400);
    }
    wanted.insert(Lower(value));
  }
  call->Reply(StoreList(api, [&](const StoreInfo& s, const ClusterView& v) {
    return wanted.contains(Lower(s.StateName(v.now_ms, v.config.schedule().max_store_down_ms))) ||
           wanted.contains(Lower(metapb::NodeState_Name(s.meta.node_state())));
  }));
}

void GetStore(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"), true);
  if (!id) return;
  auto found = api.cluster().WithView(
      [&](ClusterState& state, const ClusterView& view) -> absl::StatusOr<Json> {
        ASSIGN_OR_RETURN(StoreInfo * s, state.stores.Get(StoreId(*id)));
        return StoreJson(view, *s);
      });
  found.ok() ? call->Reply(*found) : call->Error(found.status());
}

void DeleteStore(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"), true);
  if (!id) return;
  const std::string force = call->Query("force");
  const bool destroyed = call->request().Query("force") && force != "false" && force != "0";
  api.cluster().ChangeStore(
      StoreId(*id),
      [id = *id, destroyed](ClusterState& s) {
        return s.stores.Remove(StoreId(id), destroyed, s.config.replication().max_replicas);
      },
      call->Then("The store is set as Offline.", 400));
}

void SetState(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"), true);
  if (!id) return;
  const std::string state = call->Query("state");
  const bool up = Lower(state) == "up", offline = Lower(state) == "offline";
  const bool known =
      api.cluster().With([&](ClusterState& s) { return s.stores.Find(StoreId(*id)) != nullptr; });
  if (known && !up && !offline) {
    return call->Message(fmt::format("invalid state {}", state.substr(0, 64)), 400);
  }
  api.cluster().ChangeStore(
      StoreId(*id),
      [id = *id, up](ClusterState& s) {
        return up ? s.stores.Restore(StoreId(id))
                  : s.stores.Remove(StoreId(id), false, s.config.replication().max_replicas);
      },
      call->Then("The store's state is updated.", 400));
}

void SetLabels(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"), true);
  auto body = id ? call->Body() : std::nullopt;
  if (!body) return;
  std::map<std::string, std::string> labels;
  if (!body->is_object()) return call->InputError("json: cannot unmarshal into map[string]string");
  for (const auto& [key, value] : body->items()) {
    if (!value.is_string()) {
      return call->InputError("json: cannot unmarshal value into Go value of type string");
    }
    labels[key] = value.get<std::string>();
  }
  const bool replace = call->Query("force") == "true";
  api.cluster().ChangeStore(
      StoreId(*id),
      [id = *id, labels, replace](ClusterState& s) {
        absl::Status status = s.stores.SetLabels(StoreId(id), labels, replace);
        return absl::IsNotFound(status) ? Internal("{}", Message(status)) : status;
      },
      call->Then("The store's label is updated."));
}

void DeleteLabel(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"), true);
  auto body = id ? call->Body() : std::nullopt;
  if (!body) return;
  if (!body->is_string()) return call->InputError("json: cannot unmarshal into string");
  const std::string key = body->get<std::string>();
  api.cluster().ChangeStore(
      StoreId(*id),
      [id = *id, key](ClusterState& s) {
        absl::Status status = s.stores.DeleteLabel(StoreId(id), key);
        return absl::IsNotFound(status) ? Internal("{}", Message(status)) : status;
      },
      call->Then(fmt::format("The label {} is deleted for store {}.", key, *id)));
}

// A number of the body, at least 0; nullopt after a 400.
std::optional<double> Number(const CallPtr& call, const Json& body, const char* name,
                             const char* unset, const char* bad) {
  auto it = body.find(name);
  if (it == body.end()) {
    call->Message(unset, 400);
    return std::nullopt;
  }
  if (!it->is_number() || it->get<double>() < 0 || it->get<double>() > 1e12) {
    call->Message(bad, 400);
    return std::nullopt;
  }
  return it->get<double>();
}

void SetWeight(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"), true);
  auto body = id ? call->Body() : std::nullopt;
  if (!body) return;
  if (!body->is_object()) return call->InputError("json: cannot unmarshal into map");
  auto leader = Number(call, *body, "leader", "leader weight unset", "bad format leader weight");
  if (!leader) return;
  auto region = Number(call, *body, "region", "region weight unset", "bad format region weight");
  if (!region) return;
  api.cluster().ChangeStore(
      StoreId(*id),
      [id = *id, leader = *leader, region = *region](ClusterState& s) {
        absl::Status status = s.stores.SetWeight(StoreId(id), leader, region);
        return absl::IsNotFound(status) ? Internal("{}", Message(status)) : status;
      },
      call->Then("The store's weight is updated."));
}

struct LimitRequest {
  double rate = 0;
  std::string type;  // "" for both.
};

// nullopt after a 400.
std::optional<LimitRequest> ReadLimit(const CallPtr& call) {
  auto body = call->Body();
  if (!body) return std::nullopt;
  if (!body->is_object()) {
    call->InputError("json: cannot unmarshal into map");
    return std::nullopt;
  }
  auto rate =
      Number(call, *body, "rate", "rate unset", "invalid rate which should be larger than 0");
  if (!rate) return std::nullopt;
  LimitRequest out{*rate, ""};
  if (auto type = body->find("type"); type != body->end()) {
    if (type->is_string()) out.type = type->get<std::string>();
    if (out.type != "add-peer" && out.type != "remove-peer") {
      call->Message("unknown type", 400);
      return std::nullopt;
    }
  }
  return out;
}

void SetLimit(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"), true);
  if (!id) return;
  auto limit = ReadLimit(call);
  if (!limit) return;
  api.cluster().ChangeStore(
      StoreId(*id),
      [id = *id, limit = *limit](ClusterState& s) -> absl::Status {
        if (absl::Status found = s.stores.Get(StoreId(id)).status(); !found.ok()) {
          return Internal("{}", Message(found));
        }
        s.config.SetStoreLimit(StoreId(id), limit.type, limit.rate);
        return absl::OkStatus();
      },
      call->Then("The store's limit is updated."));
}

void SetAllLimits(Api& api, const CallPtr& call) {
  auto limit = ReadLimit(call);
  if (!limit) return;
  const auto ids = api.cluster().With([](ClusterState& s) {
    std::vector<StoreId> out;
    for (const auto& [id, store] : s.stores.all()) {
      if (!store.removed()) out.push_back(store.id());
    }
    return out;
  });
  api.cluster().ChangeConfig(
      [&](Config& c) {
        for (StoreId id : ids) c.SetStoreLimit(id, limit->type, limit->rate);
        return absl::OkStatus();
      },
      call->Then("The store's limit is updated."));
}

void GetLimits(Api& api, const CallPtr& call) {
  call->Reply(api.cluster().With([](ClusterState& s) {
    Json out = Json::object();
    for (const auto& [id, store] : s.stores.all()) {
      if (store.removed()) continue;
      const StoreLimit l = s.config.schedule().LimitOf(store.id());
      out[std::to_string(id)] = {{"add-peer", l.add_peer}, {"remove-peer", l.remove_peer}};
    }
    return out;
  }));
}

void RemoveTombstones(Api& api, const CallPtr& call) {
  api.cluster().RemoveTombstones(call->Then("Remove tombstone successfully."));
}

// Stores are taken into service at once, so that only removals have a progress.
void GetProgress(Api& api, const CallPtr& call) {
  constexpr char kError[] = "[PD:progress:ErrProgressNotFound]no progress found for the ";
  const std::string id_text = call->Query("id"), action = call->Query("action");
  auto json = [](const Progress& p, Json out) {
    out["progress"] = p.done;
    out["current_speed"] = p.mib_per_second;
    out["left_seconds"] = p.left_seconds;
    return out;
  };
  if (!id_text.empty()) {
    auto id = call->Id(id_text);
    if (!id) return;
    auto p = api.cluster().With([&](ClusterState& s) { return s.removals.Of(StoreId(*id)); });
    if (p) return call->Reply(json(*p, {{"action", "removing"}, {"store_id", *id}}));
    return call->Message(fmt::format("{}given store ID: {}", kError, *id), 404);
  }
  if (action.empty()) return call->Message("need query parameters", 400);
  auto p = api.cluster().With([&](ClusterState& s) { return s.removals.Overall(); });
  if (p && action == "removing") return call->Reply(json(*p, {{"action", action}}));
  call->Message(fmt::format("{}action: {}", kError, action.substr(0, 64)), 404);
}

void GetLabels(Api& api, const CallPtr& call) {
  call->Reply(api.cluster().With([](ClusterState& s) {
    std::set<std::pair<std::string, std::string>> seen;
    for (const auto& [id, store] : s.stores.all()) {
      for (const auto& l : store.meta.labels()) seen.emplace(l.key(), l.value());
    }
    Json out = Json::array();
    for (const auto& [key, value] : seen) out.push_back({{"key", key}, {"value", value}});
    return out;
  }));
}

void StoresByLabel(Api& api, const CallPtr& call) {
  const std::string name = call->Query("name"), value = call->Query("value");
  call->Reply(StoreList(api, [&](const StoreInfo& s, const ClusterView&) {
    const std::string_view label = s.Label(name);
    return value.empty() ? !label.empty() : label == value;
  }));
}

}  // namespace

void RegisterStoreRoutes(Api& api) {
  const Served c = Served::kCluster;
  api.Route("GET", "stores", c, GetStores);
  api.Route("GET", "stores/check", c, CheckStores);
  api.Route("GET", "stores/progress", c, GetProgress);
  api.Route("GET", "stores/limit", c, GetLimits);
  api.Route("POST", "stores/limit", c, SetAllLimits);
  api.Route("DELETE", "stores/remove-tombstone", c, RemoveTombstones);
  api.Route("GET", "store/{id}", c, GetStore);
  api.Route("DELETE", "store/{id}", c, DeleteStore);
  api.Route("POST", "store/{id}/state", c, SetState);
  api.Route("POST", "store/{id}/label", c, SetLabels);
  api.Route("DELETE", "store/{id}/label", c, DeleteLabel);
  api.Route("POST", "store/{id}/weight", c, SetWeight);
  api.Route("POST", "store/{id}/limit", c, SetLimit);
  api.Route("GET", "labels", c, GetLabels);
  api.Route("GET", "labels/stores", c, StoresByLabel);
}

}  // namespace tikv::pd
