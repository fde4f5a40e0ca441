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

constexpr std::chrono::milliseconds kTick{100};

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
    // Every member holds the same records, so none could do better.  Rare looks are enough: the
    // record has to be put right from outside, which the etcd services allow meanwhile.
    Trouble(s);
    host_.executor->PostAfter(std::chrono::seconds(1), [this, term] { Load(term); });
    return;
  }
  Trouble(absl::OkStatus());
  std::lock_guard lock(mu_);
  if (host_.meta->leader_term() != term) return;
  writer_.Recover();
  fresh.checker = ReplicaChecker(&state_.operators);
  state_ = std::move(fresh);
  state_.checker = ReplicaChecker(&state_.operators);
  state_.leader_since_ms = NowMs();
  patrol_key_.clear();
  term_ = term;
  bootstrapped_ = state_.bootstrapped;
  ExtendIds();
  // Of this term only: leadership may go and come back before the first is due.
  host_.executor->PostAfter(kTick, [this, term] {
    if (term_ == term) Tick();
  });
}

void Cluster::Trouble(const absl::Status& why) {
  std::string text(Message(why));
  {
    std::lock_guard lock(mu_);
    if (trouble_ == text) return;
    trouble_ = text;
  }
  if (!why.ok() && host_.report) host_.report("leads but cannot serve", text);
}

void Cluster::Restore() {
  const uint64_t term = term_;
  if (term == 0) return;  // Load begins anew.
  // Behind what failed in the log of this term: once it is through, the failed change has taken
  // effect after all or never will.
  meta::Txn barrier;
  barrier.leader_term = term;
  host_.meta->Commit(std::move(barrier), [this, term](absl::StatusOr<meta::TxnResult> result) {
    host_.executor->Post([this, term, ok = result.ok()] {
      if (ok) return FinishRestore(term);
      host_.executor->PostAfter(std::chrono::milliseconds(200), [this, term] {
        if (term_ == term) Restore();
      });
    });
  });
}

void Cluster::FinishRestore(uint64_t term) {
  if (term_ != term) return;
  ClusterState fresh;
  std::string unused;
  absl::Status s = LoadRecords(&fresh, &unused);
  Trouble(s);
  if (!s.ok()) {
    host_.executor->PostAfter(std::chrono::seconds(1), [this, term] { FinishRestore(term); });
    return;
  }
  std::lock_guard lock(mu_);
  if (term_ != term) return;
  for (const auto& [id, old] : state_.stores.all()) {
    if (StoreInfo* store = fresh.stores.FindMutable(StoreId(id))) store->KeepVolatile(old);
  }
  for (SchedulerEntry& entry : fresh.schedulers) {
    const SchedulerEntry* old = state_.FindScheduler(entry.scheduler->name());
    if (old == nullptr) continue;
    entry.paused_at_ms = old->paused_at_ms;
    entry.paused_until_ms = old->paused_until_ms;
  }
  state_.bootstrapped = fresh.bootstrapped;
  state_.meta = std::move(fresh.meta);
  state_.bootstrap_time_s = fresh.bootstrap_time_s;
  state_.config = fresh.config;
  state_.stores = std::move(fresh.stores);
  state_.schedulers = std::move(fresh.schedulers);
  state_.gc = std::move(fresh.gc);
  state_.external_ts = fresh.external_ts;
  state_.markers = std::move(fresh.markers);
  bootstrapped_ = state_.bootstrapped;
  writer_.Recover();
  ExtendIds();
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
  std::string first_region;
  RETURN_IF_ERROR(LoadRecords(state, &first_region));
  if (cache_ != nullptr) {
    // A cache only: heartbeats bring what it cannot.
    absl::Status s = cache_->Load(&state->regions);
    if (!s.ok() && host_.report) host_.report("the region cache cannot be read", Message(s));
  }
  auto region = std::make_shared<RegionInfo>();
  if (region->meta.ParseFromString(first_region) && region->meta.id() != 0 &&
      state->regions.Scan(region->start(), region->end(), 1).empty()) {
    state->regions.Put(std::move(region));
  }
  return absl::OkStatus();
}

absl::Status Cluster::LoadRecords(ClusterState* state, std::string* first_region) const {
  ASSIGN_OR_RETURN(meta::RangeResult all,
                   host_.meta->RangeLocal(meta::KeyRange::Prefix(keys_->root())));
  std::map<std::string, std::string> schedulers;
  LoadFile(host_.config_text, &state->config);
  for (const meta::KeyValue& kv : all.kvs) {
    if (kv.key.starts_with(keys_->Regions())) {
      *first_region = kv.value;
    } else if (kv.key.starts_with(keys_->Schedulers())) {
      schedulers[After(kv.key, keys_->Schedulers())] = kv.value;
    } else if (absl::Status s = LoadRecord(kv, state); !s.ok()) {
      return DataLoss("the record {} does not decode ({}): put it right with etcdctl", kv.key,
                      Message(s));
    }
  }
  // These belong to stores, which stand behind them.
  for (const meta::KeyValue& kv : all.kvs) {
    if (!kv.key.starts_with(keys_->Weights())) continue;
    StoreInfo* s = state->stores.FindMutable(StoreId(Number(After(kv.key, keys_->Weights()))));
    if (s == nullptr) continue;
    (kv.key == keys_->LeaderWeight(s->meta.id()) ? s->leader_weight : s->region_weight) =
        Fraction(kv.value);
  }
  LoadSchedulers(state, schedulers);
  return absl::OkStatus();
}

absl::Status Cluster::LoadRecord(const meta::KeyValue& kv, ClusterState* state) const {
  const absl::Status bad = DataLoss("it is no message of its type");
  if (kv.key == keys_->Cluster()) {
    if (!state->meta.ParseFromString(kv.value)) return bad;
    state->bootstrapped = true;
  } else if (kv.key == keys_->BootstrapTime()) {
    state->bootstrap_time_s = static_cast<int64_t>(Number(kv.value));
  } else if (kv.key == keys_->AllocId()) {
    if (kv.value.size() != 8) return DataLoss("it is not 8 bytes long");
    state->ids.Reset(GetBig64(kv.value));
  } else if (kv.key == keys_->Config()) {
    return state->config.Load(kv.value);
  } else if (kv.key == keys_->ExternalTimestamp()) {
    state->external_ts = Number(kv.value);
  } else if (kv.key == keys_->GcSafePoint()) {
    state->gc.Load(Number(kv.value), state->gc.txn_safe_point());
  } else if (kv.key == keys_->TxnSafePoint()) {
    state->gc.Load(state->gc.gc_safe_point(), Number(kv.value));
  } else if (kv.key.starts_with(keys_->ServiceSafePoints())) {
    auto json = nlohmann::json::parse(kv.value, nullptr, false);
    if (!json.is_object()) return absl::OkStatus();
    state->gc.LoadService(
        After(kv.key, keys_->ServiceSafePoints()),
        {Member(json, "safe_point", uint64_t{0}), Member(json, "expired_at", int64_t{0})});
  } else if (kv.key.starts_with(keys_->GlobalBarriers())) {
    auto json = nlohmann::json::parse(kv.value, nullptr, false);
    if (!json.is_object()) return absl::OkStatus();
    state->gc.LoadGlobalBarrier(
        After(kv.key, keys_->GlobalBarriers()),
        {Member(json, "safe_point", uint64_t{0}), Member(json, "expired_at", int64_t{0})});
  } else if (kv.key.starts_with(keys_->Stores())) {
    metapb::Store store;
    if (!store.ParseFromString(kv.value) || store.id() == 0) return bad;
    state->stores.Load(std::move(store));
  } else if (kv.key.starts_with(keys_->Marker(""))) {
    state->markers.insert(After(kv.key, keys_->Marker("")));
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
