// balance-hot-region.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "pd/schedule/builder.h"
#include "pd/schedule/filter.h"
#include "pd/schedule/scheduler.h"

namespace tikv::pd {
namespace {

// As the original shows them; what steers the choice here is min-hot-byte-rate, the step ratio of
// byte rates and the tolerances.
constexpr char kDefaults[] = R"json({
  "min-hot-byte-rate": 100, "min-hot-key-rate": 10, "min-hot-query-rate": 10,
  "min-hot-cpu-rate": 10, "max-zombie-rounds": 3, "max-peer-number": 1000,
  "byte-rate-rank-step-ratio": 0.05, "key-rate-rank-step-ratio": 0.05,
  "query-rate-rank-step-ratio": 0.05, "count-rank-step-ratio": 0.01,
  "great-dec-ratio": 0.95, "minor-dec-ratio": 0.99, "src-tolerance-ratio": 1.05,
  "dst-tolerance-ratio": 1.05, "write-leader-priorities": ["query", "byte"],
  "write-peer-priorities": ["byte", "key"], "read-priorities": ["cpu", "byte"],
  "strict-picking-store": "true", "enable-for-tiflash": "true", "rank-formula-version": "v2",
  "forbid-rw-type": "none", "split-thresholds": 0.2, "history-sample-duration": "5m0s",
  "history-sample-interval": "30s"
})json";

struct Traffic {
  const StoreInfo* store = nullptr;
  double bytes_per_s = 0;  // Of the regions it leads.
  RegionPtr hottest;
  double hottest_bytes_per_s = 0;
};

double Rate(const RegionInfo& r) {
  const uint64_t s = r.interval_s();
  return s == 0 ? 0 : static_cast<double>(r.written_bytes + r.read_bytes) / s;
}

Traffic Measure(const ClusterView& view, const OperatorController& running,
                const StoreInfo& store) {
  Traffic load{&store};
  for (uint64_t id : view.regions.OfStore(store.id()).leaders.ids()) {
    RegionPtr r = view.regions.ById(RegionId(id));
    const double rate = Rate(*r);
    load.bytes_per_s += rate;
    const bool movable = r->Healthy() && !r->InJointState() && running.Running(r->id()) == nullptr;
    if (movable && rate > load.hottest_bytes_per_s) {
      load.hottest = r;
      load.hottest_bytes_per_s = rate;
    }
  }
  return load;
}

}  // namespace

BalanceHotRegion::BalanceHotRegion() : config_(std::make_unique<Json>(Json::parse(kDefaults))) {}
BalanceHotRegion::~BalanceHotRegion() = default;

std::vector<Operator> BalanceHotRegion::Schedule(const ClusterView& view,
                                                 const OperatorController& running) {
  // Store by store over all leaders: too dear to do often, and heartbeats bring news once a
  // minute only.  The caller's growing interval takes care of that.
  const size_t limit =
      view.config.Section("schedule").at("hot-region-schedule-limit").get<size_t>();
  if (running.Count(kOpHotRegion) >= limit) return {};
  std::vector<Traffic> loads;
  for (const auto& [id, s] : view.stores.all()) {
    if (s.up() && !s.disconnected(view.now_ms)) loads.push_back(Measure(view, running, s));
  }
  if (loads.size() < 2) return {};
  auto most = std::max_element(loads.begin(), loads.end(), [](const Traffic& a, const Traffic& b) {
    return a.bytes_per_s < b.bytes_per_s;
  });
  const double floor = std::max(1024.0, (*config_)["min-hot-byte-rate"].get<double>());
  if (most->hottest == nullptr || most->hottest_bytes_per_s < floor) return {};
  const metapb::Peer* to = BestLeader(view, *most->hottest, nullptr);
  if (to == nullptr) return {};
  auto target = std::find_if(loads.begin(), loads.end(), [&](const Traffic& l) {
    return l.store->meta.id() == to->store_id();
  });
  if (target == loads.end()) return {};
  const double tolerance = (*config_)["src-tolerance-ratio"].get<double>();
  // The move must leave the target below what the source is now, or the two only swap roles.
  if ((target->bytes_per_s + most->hottest_bytes_per_s) * tolerance >= most->bytes_per_s) return {};
  auto op = MoveLeader(view, most->hottest, StoreId(to->store_id()), "transfer-hot-write-leader",
                       kOpHotRegion);
  if (!op.ok()) return {};
  return {*std::move(op)};
}

Scheduler::Json BalanceHotRegion::ConfigJson() const { return *config_; }

absl::Status BalanceHotRegion::Configure(const Json& items) {
  if (!items.is_object()) return InvalidArgument("Config item is not found.");
  Json next = *config_;
  for (const auto& [key, value] : items.items()) {
    auto it = next.find(key);
    if (it == next.end()) return InvalidArgument("Config item is not found.");
    const bool fits = (it->is_number() && value.is_number() && value.get<double>() >= 0 &&
                       value.get<double>() < 1e15) ||
                      (!it->is_number() && it->type() == value.type());
    if (!fits) return InvalidArgument("invalid value of {}", key);
    *it = value;
  }
  *config_ = std::move(next);
  return absl::OkStatus();
}

void BalanceHotRegion::Load(const Json& config) { Configure(config).IgnoreError(); }

}  // namespace tikv::pd
