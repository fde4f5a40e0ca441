// How a Cluster begins and ends to serve.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "lib/config/literal.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "pd/cluster/cluster.h"

namespace tikv::pd {
namespace {

uint64_t Number(std::string_view text) {
  uint64_t v = 0;
  std::from_chars(text.data(), text.data() + text.size(), v);
  return v;
}

double Fraction(std::string_view text) {
  double v = 1;
  std::from_chars(text.data(), text.data() + text.size(), v);
  return v > 0 ? v : 1;
}

// A member of an object from the store, where any etcd client may have written it; `missing` when
// it is not there or of another type.
template <class T>
T Member(const nlohmann::json& object, const char* name, T missing) {
  auto it = object.find(name);
  if (it == object.end()) return missing;
  if constexpr (std::is_same_v<T, bool>) {
    return it->is_boolean() ? it->template get<bool>() : missing;
  } else if constexpr (std::is_integral_v<T>) {
    return it->is_number_integer() ? it->template get<T>() : missing;
  } else {
    return it->is_string() ? it->template get<T>() : missing;
  }
}

uint64_t Big64(const std::string& bytes) { return bytes.size() == 8 ? GetBig64(bytes) : 0; }

// The sections of the configuration file that can change at run time count until they are first
// changed then; what does not fit was warned about when the file was read.
void LoadFile(const std::string& toml, Config* config) {
  auto table = config::ParseToml(toml, "configuration file");
  if (table.ok()) config->Load(config::WriteJson(*table)).IgnoreError();
}

std::string After(const std::string& key, const std::string& prefix) {
  return key.substr(prefix.size());
}

}  // namespace

void Cluster::OnBecomeLeader(uint64_t term) {
  host_.executor->Post([this, term] { Load(term); });
}

void Cluster::OnLoseLeadership(uint64_t term) {
  term_ = 0;
  bootstrapped_ = false;
  host_.executor->Post([this, term] { Unload(term); });
}

void Cluster::Load(uint64_t term) {
  if (host_.meta->leader_term() != term) return;
  if (keys_ == nullptr) keys_ = std::make_unique<Keys>(meta::KeyRoot(cluster_id()));
  ClusterState fresh;
  if (absl::Status s = LoadState(&fresh); !s.ok()) {
    // Leading without serving would leave the cluster without PD: try again, or let another lead.
    host_.executor->PostAfter(std::chrono::milliseconds(200), [this, term] { Load(term); });
    return;
  }
  std::lock_guard lock(mu_);
  if (host_.meta->leader_term() != term) return;
  fresh.checker = ReplicaChecker(&state_.operators);
  state_ = std::move(fresh);
  state_.checker = ReplicaChecker(&state_.operators);
  state_.leader_since_ms = NowMs();
  patrol_key_.clear();
  term_ = term;
  bootstrapped_ = state_.bootstrapped;
  ExtendIds();
  host_.executor->PostAfter(std::chrono::milliseconds(100), [this] { Tick(); });
}

void Cluster::Unload(uint64_t term) {
  std::map<uint64_t, std::shared_ptr<OrderSink>> streams;
  {
    std::lock_guard lock(mu_);
    if (term_ != 0 && term_ != term) return;  // Leads again already.
    // A Load that ran while leadership ended may have set it after OnLoseLeadership.
    term_ = 0;
    bootstrapped_ = false;
    state_.ids.Fail(Unavailable("not leader"));
    state_.operators.Clear();
    streams.swap(streams_);
  }
  if (cache_ != nullptr) cache_->Flush().IgnoreError();
}

absl::Status Cluster::LoadState(ClusterState* state) {
  ASSIGN_OR_RETURN(meta::RangeResult all,
                   host_.meta->RangeLocal(meta::KeyRange::Prefix(keys_->root())));
  std::map<std::string, std::string> schedulers;
  std::vector<std::string> first_regions;
  std::string config;
  uint64_t gc = 0, txn_gc = 0;
  auto under = [](const std::string& key, const std::string& prefix) {
    return key.compare(0, prefix.size(), prefix) == 0;
  };
  for (const meta::KeyValue& kv : all.kvs) {
    if (kv.key == keys_->Cluster()) {
      state->bootstrapped = state->meta.ParseFromString(kv.value);
    } else if (kv.key == keys_->BootstrapTime()) {
      state->bootstrap_time_s = static_cast<int64_t>(Number(kv.value));
    } else if (kv.key == keys_->AllocId()) {
      state->ids.Reset(Big64(kv.value));
    } else if (kv.key == keys_->Config()) {
      config = kv.value;
    } else if (kv.key == keys_->ExternalTimestamp()) {
      state->external_ts = Number(kv.value);
    } else if (kv.key == keys_->GcSafePoint()) {
      gc = Number(kv.value);
    } else if (kv.key == keys_->TxnSafePoint()) {
      txn_gc = Number(kv.value);
    } else if (under(kv.key, keys_->Stores())) {
      metapb::Store store;
      if (store.ParseFromString(kv.value)) state->stores.Load(std::move(store));
    } else if (under(kv.key, keys_->Regions())) {
      first_regions.push_back(kv.value);
    } else if (under(kv.key, keys_->Schedulers())) {
      schedulers[After(kv.key, keys_->Schedulers())] = kv.value;
    } else if (under(kv.key, keys_->Marker(""))) {
      state->markers.insert(After(kv.key, keys_->Marker("")));
    }
  }
  state->gc.Load(gc, txn_gc);
  for (const meta::KeyValue& kv : all.kvs) {
    if (under(kv.key, keys_->Weights())) {
      StoreInfo* s = state->stores.FindMutable(StoreId(Number(After(kv.key, keys_->Weights()))));
      if (s == nullptr) continue;
      (kv.key == keys_->LeaderWeight(s->meta.id()) ? s->leader_weight : s->region_weight) =
          Fraction(kv.value);
    } else if (under(kv.key, keys_->ServiceSafePoints())) {
      auto json = nlohmann::json::parse(kv.value, nullptr, false);
      if (!json.is_object()) continue;
      state->gc.LoadService(
          After(kv.key, keys_->ServiceSafePoints()),
          {Member(json, "safe_point", uint64_t{0}), Member(json, "expired_at", int64_t{0})});
    }
  }
  LoadFile(host_.config_text, &state->config);
  if (!config.empty()) RETURN_IF_ERROR(state->config.Load(config));
  LoadSchedulers(state, schedulers);
  if (cache_ != nullptr) RETURN_IF_ERROR(cache_->Load(&state->regions));
  for (const std::string& bytes : first_regions) {
    auto region = std::make_shared<RegionInfo>();
    if (!region->meta.ParseFromString(bytes) || region->meta.id() == 0) continue;
    if (state->regions.Scan(region->start(), region->end(), 1).empty()) {
      state->regions.Put(std::move(region));
    }
  }
  return absl::OkStatus();
}

void Cluster::LoadSchedulers(ClusterState* state,
                             const std::map<std::string, std::string>& configs) const {
  std::vector<std::string> names;
  for (const auto& entry : state->config.Section("schedule").at("schedulers-v2")) {
    if (!entry.is_object() || Member(entry, "disable", false)) continue;
    const std::string type = Member(entry, "type", std::string());
    names.push_back((type == "hot-region" ? "balance-hot-region" : type) + "-scheduler");
  }
  for (const std::string& name : names) {
    auto scheduler = NewScheduler(name);
    if (scheduler == nullptr || state->FindScheduler(name) != nullptr) continue;
    if (auto config = configs.find(name); config != configs.end()) {
      scheduler->Load(Scheduler::Json::parse(config->second, nullptr, false));
    }
    state->schedulers.push_back({std::move(scheduler)});
  }
}

void Cluster::ChangeSchedulers(const std::function<absl::Status(ClusterState&)>& change,
                               Done done) {
  Change(
      [&](ClusterState& state) -> absl::StatusOr<std::vector<meta::Op>> {
        std::vector<std::string> before;
        for (const auto& e : state.schedulers) before.push_back(e.scheduler->name());
        RETURN_IF_ERROR(change(state));
        PauseLeaderMoves();
        // Defaults stay in the list, disabled when removed, so that a restart does not revive them.
        Config::Json list = Config::Json::array();
        auto add = [&](const std::string& type, bool disabled) {
          list.push_back(
              {{"type", type}, {"args", nullptr}, {"disable", disabled}, {"args-payload", ""}});
        };
        for (const std::string& name : DefaultSchedulers()) {
          add(NewScheduler(name)->type(), state.FindScheduler(name) == nullptr);
        }
        std::vector<meta::Op> ops;
        for (const auto& e : state.schedulers) {
          const auto& defaults = DefaultSchedulers();
          if (std::find(defaults.begin(), defaults.end(), e.scheduler->name()) == defaults.end()) {
            add(e.scheduler->type(), false);
          }
          ops.push_back(meta::Op::Put(keys_->Scheduler(e.scheduler->name()),
                                      e.scheduler->ConfigJson().dump()));
          std::erase(before, e.scheduler->name());
        }
        for (const std::string& gone : before) {
          ops.push_back(meta::Op::Delete(keys_->Scheduler(gone)));
        }
        RETURN_IF_ERROR(state.config.UpdateSection("schedule", {{"schedulers-v2", list}}));
        ops.push_back(ConfigOp());
        return ops;
      },
      std::move(done));
}

}  // namespace tikv::pd
