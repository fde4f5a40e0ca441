// The schedulers that move leaders for other reasons than balance.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "lib/env/random.h"
#include "pd/schedule/builder.h"
#include "pd/schedule/filter.h"
#include "pd/schedule/scheduler.h"

namespace tikv::pd {
namespace {

using Json = Scheduler::Json;

const Json& WholeRange() {
  static const Json* const kRange =
      new Json(Json::array({Json{{"start-key", ""}, {"end-key", ""}}}));
  return *kRange;
}

Json RangesOf(const std::vector<StoreId>& stores) {
  Json out = Json::object();
  for (StoreId s : stores) out[std::to_string(s.value)] = WholeRange();
  return out;
}

std::vector<StoreId> StoresIn(const Json& config) {
  std::vector<StoreId> out;
  if (!config.is_object()) return out;
  auto ranges = config.find("store-id-ranges");
  if (ranges == config.end() || !ranges->is_object()) return out;
  for (const auto& [id, range] : ranges->items()) {
    if (id.size() < 20 && id.find_first_not_of("0123456789") == id.npos && !id.empty()) {
      out.push_back(StoreId(std::stoull(id)));
    }
  }
  return out;
}

bool EraseStore(std::vector<StoreId>* stores, StoreId store) {
  return std::erase(*stores, store) > 0;
}

void InsertStore(std::vector<StoreId>* stores, StoreId store) {
  if (std::find(stores->begin(), stores->end(), store) == stores->end()) stores->push_back(store);
}

}  // namespace

std::vector<Operator> EvictLeaders(const ClusterView& view, const OperatorController& running,
                                   StoreId store, int batch, const std::string& desc) {
  std::vector<Operator> out;
  const auto& ids = view.regions.OfStore(store).leaders.ids();
  if (ids.empty()) return out;
  // A random place to begin, then all in turn: a few stuck regions must not hold up the others.
  const size_t begin = view.random->Uniform(ids.size());
  for (size_t i = 0; i < ids.size() && out.size() < static_cast<size_t>(batch); ++i) {
    RegionPtr r = view.regions.ById(RegionId(ids[(begin + i) % ids.size()]));
    if (r == nullptr || r->InJointState()) continue;
    const Operator* busy = running.Running(r->id());
    if (busy != nullptr && busy->priority >= OperatorPriority::kUrgent) continue;
    const metapb::Peer* to = BestLeader(view, *r, nullptr);
    if (to == nullptr) continue;
    auto op = MoveLeader(view, r, StoreId(to->store_id()), desc, 0);
    if (!op.ok()) continue;
    op->priority = OperatorPriority::kUrgent;
    out.push_back(*std::move(op));
  }
  return out;
}

std::vector<Operator> EvictLeader::Schedule(const ClusterView& view,
                                            const OperatorController& running) {
  std::vector<Operator> out;
  for (StoreId s : stores_) {
    auto ops = EvictLeaders(view, running, s, batch_, "evict-leader");
    std::move(ops.begin(), ops.end(), std::back_inserter(out));
  }
  return out;
}

Json EvictLeader::ConfigJson() const {
  return {{"store-id-ranges", RangesOf(stores_)}, {"batch", batch_}};
}

absl::Status EvictLeader::Configure(const Json& items) {
  if (!items.is_object() || !items.contains("batch")) {
    return InvalidArgument("Config item is not found.");
  }
  const Json& batch = items["batch"];
  if (!batch.is_number() || batch.get<double>() < 1 || batch.get<double>() > 100) {
    return InvalidArgument("invalid batch size which should be an integer between 1 and 100");
  }
  batch_ = static_cast<int>(batch.get<double>());
  return absl::OkStatus();
}

void EvictLeader::Load(const Json& config) {
  stores_ = StoresIn(config);
  Configure(config).IgnoreError();
}

void EvictLeader::AddStore(StoreId store) { InsertStore(&stores_, store); }
bool EvictLeader::RemoveStore(StoreId store) { return EraseStore(&stores_, store); }

std::vector<Operator> GrantLeader::Schedule(const ClusterView& view,
                                            const OperatorController& running) {
  std::vector<Operator> out;
  constexpr size_t kBatch = 4;
  if (running.Count(kOpLeader) >= view.config.schedule().leader_schedule_limit) return out;
  for (StoreId s : stores_) {
    const StoreInfo* to = view.stores.Find(s);
    if (to == nullptr || LeaderTargetObstacle(view, *to) != nullptr) continue;
    const auto& ids = view.regions.OfStore(s).followers.ids();
    if (ids.empty()) continue;
    const size_t begin = view.random->Uniform(ids.size());
    for (size_t i = 0; i < ids.size() && out.size() < kBatch; ++i) {
      RegionPtr r = view.regions.ById(RegionId(ids[(begin + i) % ids.size()]));
      if (r == nullptr || r->leader.id() == 0 || running.Running(r->id()) != nullptr) continue;
      const metapb::Peer* p = r->PeerOn(s);
      if (p == nullptr || r->IsPending(PeerId(p->id())) || r->IsDown(PeerId(p->id()))) continue;
      auto op = MoveLeader(view, r, s, "grant-leader", 0);
      if (!op.ok()) continue;
      op->priority = OperatorPriority::kHigh;
      out.push_back(*std::move(op));
    }
  }
  return out;
}

Json GrantLeader::ConfigJson() const { return {{"store-id-ranges", RangesOf(stores_)}}; }
void GrantLeader::Load(const Json& config) { stores_ = StoresIn(config); }
void GrantLeader::AddStore(StoreId store) { InsertStore(&stores_, store); }
bool GrantLeader::RemoveStore(StoreId store) { return EraseStore(&stores_, store); }

std::vector<Operator> EvictSlowStore::Schedule(const ClusterView& view,
                                               const OperatorController& running) {
  constexpr uint64_t kSlow = 100, kWell = 1;
  if (!evicted_) {
    // Only when exactly one store is slow: otherwise the cause is not the store.
    for (const auto& [id, s] : view.stores.all()) {
      if (!s.up() || s.stats.slow_score() < kSlow) continue;
      if (evicted_) {
        evicted_ = StoreId();
        return {};
      }
      evicted_ = s.id();
    }
    recovered_since_ms_ = 0;
    if (!evicted_) return {};
  }
  const StoreInfo* s = view.stores.Find(evicted_);
  if (s == nullptr || !s->up()) {
    evicted_ = StoreId();
    return {};
  }
  if (s->stats.slow_score() > kWell) {
    recovered_since_ms_ = 0;
  } else if (recovered_since_ms_ == 0) {
    recovered_since_ms_ = view.now_ms;
  } else if (view.now_ms - recovered_since_ms_ > recovery_s_ * 1000) {
    evicted_ = StoreId();
    return {};
  }
  return EvictLeaders(view, running, evicted_, 3, "evict-slow-store");
}

Json EvictSlowStore::ConfigJson() const {
  Json stores = Json::array();
  if (evicted_) stores.push_back(evicted_.value);
  return {{"recovery-duration", recovery_s_}, {"evicted-stores", stores}, {"batch", 3}};
}

std::vector<StoreId> EvictSlowStore::Stores() const {
  return evicted_ ? std::vector<StoreId>{evicted_} : std::vector<StoreId>{};
}

std::vector<Operator> ShuffleLeader::Schedule(const ClusterView& view,
                                              const OperatorController& running) {
  if (running.Count(kOpLeader) >= view.config.schedule().leader_schedule_limit) return {};
  const auto& stores = view.stores.all();
  if (stores.empty()) return {};
  auto it = std::next(stores.begin(), view.random->Uniform(stores.size()));
  const StoreInfo& to = it->second;
  const auto& ids = view.regions.OfStore(to.id()).followers.ids();
  if (ids.empty() || LeaderTargetObstacle(view, to) != nullptr) return {};
  RegionPtr r = view.regions.ById(RegionId(ids[view.random->Uniform(ids.size())]));
  if (r == nullptr || !r->Healthy() || running.Running(r->id()) != nullptr) return {};
  auto op = MoveLeader(view, r, to.id(), "shuffle-leader", 0);
  if (!op.ok()) return {};
  return {*std::move(op)};
}

}  // namespace tikv::pd
