// balance-leader and balance-region.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "lib/env/random.h"
#include "pd/schedule/builder.h"
#include "pd/schedule/filter.h"
#include "pd/schedule/scheduler.h"

namespace tikv::pd {
namespace {

struct Scored {
  const StoreInfo* store;
  double score;
};

// A region of the set drawn at random that `fits`, or nullptr after some attempts.
template <class F>
RegionPtr Draw(const ClusterView& view, const RegionIdSet& set, F fits) {
  constexpr int kAttempts = 10;
  for (int i = 0; i < kAttempts && set.size() > 0; ++i) {
    RegionPtr r = view.regions.ById(RegionId(set.ids()[view.random->Uniform(set.size())]));
    if (r != nullptr && fits(*r)) return r;
  }
  return nullptr;
}

bool Free(const RegionInfo& r, const OperatorController& running) {
  return r.Healthy() && r.leader.id() != 0 && running.Running(r.id()) == nullptr &&
         !r.InJointState();
}

// How far two stores must differ before a leader moves.  The original always waits for five on
// either side; a small cluster would never be even, so there it is one apart.
double LeaderTolerance(const ClusterView& view) {
  const auto& c = view.config.schedule();
  const double average = view.stores.up_count() == 0
                             ? 0
                             : static_cast<double>(view.regions.size()) / view.stores.up_count();
  const double leaders = std::clamp(0.05 * average, 0.5, 5.0);
  return c.leader_by_size ? leaders * std::max<uint64_t>(1, view.regions.average_size_mib())
                          : leaders;
}

// Leaders on their way out were counted already; those on their way in weigh as if there.
double LeaderScoreOf(const ClusterView& view, const OperatorController& running,
                     const StoreInfo& s) {
  return LeaderScore(view, s, static_cast<double>(running.Of(s.id()).leaders));
}

// Two stores that differ by one leader swap roles when it moves: that is no gain.
bool Worth(double source, double target, double tolerance) {
  return source - target > 1 && source - tolerance > target + tolerance;
}

std::optional<Operator> MoveLeaderOut(const ClusterView& view, const OperatorController& running,
                                      const Scored& source, const std::vector<Scored>& targets) {
  const double tolerance = LeaderTolerance(view);
  const auto& leaders = view.regions.OfStore(source.store->id()).leaders;
  for (const Scored& target : targets) {
    if (!Worth(source.score, target.score, tolerance)) break;  // Sorted: no later one is either.
    const StoreId to = target.store->id();
    RegionPtr r = Draw(view, leaders, [&](const RegionInfo& region) {
      const metapb::Peer* p = region.PeerOn(to);
      return Free(region, running) && p != nullptr && IsVoter(*p);
    });
    if (r == nullptr) continue;
    auto op = MoveLeader(view, r, to, "balance-leader", 0);
    if (op.ok()) return *std::move(op);
  }
  return std::nullopt;
}

}  // namespace

std::vector<Operator> BalanceLeader::Schedule(const ClusterView& view,
                                              const OperatorController& running) {
  std::vector<Operator> out;
  const size_t limit = view.config.schedule().leader_schedule_limit;
  const size_t active = running.Count(kOpLeader);
  if (active >= limit) return out;
  std::vector<Scored> sources, targets;
  for (const auto& [id, s] : view.stores.all()) {
    const double score = LeaderScoreOf(view, running, s);
    if (LeaderSourceObstacle(view, s) == nullptr) sources.push_back({&s, score});
    if (LeaderTargetObstacle(view, s) == nullptr) targets.push_back({&s, score});
  }
  std::sort(sources.begin(), sources.end(), [](auto& a, auto& b) { return a.score > b.score; });
  std::sort(targets.begin(), targets.end(), [](auto& a, auto& b) { return a.score < b.score; });
  const size_t batch = std::min<size_t>(batch_, limit - active);
  for (const Scored& source : sources) {
    if (out.size() >= batch) break;
    auto op = MoveLeaderOut(view, running, source, targets);
    if (!op) continue;
    const bool taken = std::any_of(out.begin(), out.end(),
                                   [&](const Operator& o) { return o.region == op->region; });
    if (!taken) out.push_back(*std::move(op));
  }
  return out;
}

Scheduler::Json BalanceLeader::ConfigJson() const {
  return {{"ranges", {{{"start-key", ""}, {"end-key", ""}}}}, {"batch", batch_}};
}

namespace {

// Shared by the schedulers that work in batches.
absl::Status SetBatch(const nlohmann::ordered_json& items, int* batch) {
  if (!items.is_object() || items.empty()) return InvalidArgument("Config item is not found.");
  for (const auto& [key, value] : items.items()) {
    if (key != "batch") return InvalidArgument("Config item is not found.");
    if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > 100) {
      return InvalidArgument("invalid batch size which should be an integer between 1 and 100");
    }
    *batch = value.get<int>();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BalanceLeader::Configure(const Json& items) { return SetBatch(items, &batch_); }

void BalanceLeader::Load(const Json& config) {
  if (config.is_object() && config.contains("batch")) {
    SetBatch({{"batch", config["batch"]}}, &batch_).IgnoreError();
  }
}

namespace {

// Moves under way count five times, so that many at once do not overshoot.
constexpr double kMoving = 5;

// What comes in must not make an even store a source, nor what goes out a target: regions would
// go round for ever.
double SourceScore(const ClusterView& view, const OperatorController& running, const StoreInfo& s,
                   double tolerance) {
  const double leaving = std::min<double>(0, kMoving * running.Of(s.id()).region_size_mib);
  return RegionScore(view, s, leaving - tolerance);
}

double TargetScore(const ClusterView& view, const OperatorController& running, const StoreInfo& s,
                   double tolerance) {
  const double coming = std::max<double>(0, kMoving * running.Of(s.id()).region_size_mib);
  return RegionScore(view, s, coming + tolerance);
}

double RegionTolerance(const ClusterView& view, uint64_t region_size_mib) {
  const double ratio = view.config.schedule().tolerant_size_ratio;
  size_t most = 0;
  for (const auto& [id, s] : view.stores.all()) {
    most = std::max(most, view.regions.OfStore(s.id()).region_count());
  }
  const double regions = ratio > 0 ? ratio : std::max(1.0, 0.005 * most);
  return regions * std::max<uint64_t>({1, view.regions.average_size_mib(), region_size_mib});
}

// The peer of `from` that is cheapest to move: a follower, then a leader.
RegionPtr PickRegion(const ClusterView& view, const OperatorController& running,
                     const StoreInfo& from) {
  const StoreRegions& held = view.regions.OfStore(from.id());
  auto fits = [&](const RegionInfo& r) {
    const size_t voters = std::count_if(r.meta.peers().begin(), r.meta.peers().end(),
                                        [](const auto& p) { return IsVoter(p); });
    // Where there are many, empty ones will be merged sooner or later.
    constexpr size_t kFew = 100;
    return Free(r, running) && voters == view.config.replication().max_replicas &&
           (r.approximate_size_mib > 1 || view.regions.size() < kFew) &&
           running.HasLimit(view, from.id(), false, r.approximate_size_mib);
  };
  for (const RegionIdSet* set : {&held.followers, &held.leaders}) {
    if (RegionPtr r = Draw(view, *set, fits)) return r;
  }
  return nullptr;
}

// A peer may move only where the replicas are spread at least as well as before.
bool KeepsIsolation(const ClusterView& view, const RegionInfo& region, const StoreInfo& from,
                    const StoreInfo& to) {
  std::vector<const StoreInfo*> others;
  for (const auto& p : region.meta.peers()) {
    const StoreInfo* s = view.stores.Find(StoreId(p.store_id()));
    if (s != nullptr && s->id() != from.id()) others.push_back(s);
  }
  return IsolationScore(view, to, others) >= IsolationScore(view, from, others);
}

}  // namespace

std::vector<Operator> BalanceRegion::Schedule(const ClusterView& view,
                                              const OperatorController& running) {
  if (running.Count(kOpRegion) >= view.config.schedule().region_schedule_limit) return {};
  std::vector<Scored> sources, targets;
  for (const auto& [id, s] : view.stores.all()) {
    if (!s.up() || s.disconnected(view.now_ms)) continue;
    sources.push_back({&s, SourceScore(view, running, s, 0)});
    targets.push_back({&s, TargetScore(view, running, s, 0)});
  }
  std::sort(sources.begin(), sources.end(), [](auto& a, auto& b) { return a.score > b.score; });
  std::sort(targets.begin(), targets.end(), [](auto& a, auto& b) { return a.score < b.score; });
  for (const Scored& source : sources) {
    if (RegionSourceObstacle(view, *source.store) != nullptr) continue;
    RegionPtr r = PickRegion(view, running, *source.store);
    if (r == nullptr) continue;
    const double size = static_cast<double>(r->approximate_size_mib);
    const double tolerance = RegionTolerance(view, r->approximate_size_mib);
    for (const Scored& target : targets) {
      const StoreInfo& to = *target.store;
      if (SourceScore(view, running, *source.store, tolerance) <=
          TargetScore(view, running, to, tolerance)) {
        break;  // Every later target has a higher score.
      }
      if (r->PeerOn(to.id()) != nullptr || RegionTargetObstacle(view, to) != nullptr ||
          !running.HasLimit(view, to.id(), true, static_cast<uint64_t>(size)) ||
          !KeepsIsolation(view, *r, *source.store, to)) {
        continue;
      }
      auto op = MovePeer(view, r, source.store->id(), to.id(), "balance-region", 0);
      if (op.ok()) return {*std::move(op)};
    }
  }
  return {};
}

}  // namespace tikv::pd
