// The rounds of a leading Cluster: checks, schedulers, stores' lives, write-behind.
#include <algorithm>

#include "lib/base/status.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "pd/cluster/cluster.h"

namespace tikv::pd {
namespace {

constexpr int64_t kTickMs = 100;

}  // namespace

void Cluster::Tick() {
  if (term_ == 0) return;
  const int64_t now = NowMs();
  if (bootstrapped_ && host_.meta->IsLeader()) {
    UpdatePrepared();
    CheckRegions();
    RunSchedulers();
    SendDueOrders();
    if (now >= next_store_check_ms_) {
      next_store_check_ms_ = now + 1'000;
      CheckStores();
    }
  }
  if (cache_ != nullptr && now >= next_flush_ms_) {
    next_flush_ms_ = now + 3'000;
    cache_->Flush().IgnoreError();  // What is lost comes again with heartbeats.
  }
  host_.executor->PostAfter(std::chrono::milliseconds(kTickMs), [this, term = term_.load()] {
    if (term_ == term) Tick();
  });
}

void Cluster::UpdatePrepared() {
  constexpr double kEnough = 0.9;
  constexpr int64_t kPatienceMs = 5 * 60'000;
  std::lock_guard lock(mu_);
  state_.config.ExpireTemporary(NowMs());
  if (state_.prepared) return;
  const RegionTable& r = state_.regions;
  const bool reported = r.reported() > 0 && r.reported() >= kEnough * r.size();
  state_.prepared = reported || NowMs() - state_.leader_since_ms > kPatienceMs;
}

void Cluster::CheckRegions() {
  constexpr int64_t kBatch = 128;
  std::lock_guard lock(mu_);
  if (!state_.prepared) return;
  const ClusterView view = View();
  auto regions = state_.regions.Scan(patrol_key_, "", kBatch);
  for (const RegionPtr& r : regions) {
    if (r->reported) TryCheck(view, r);
  }
  patrol_key_ = regions.empty() ? "" : std::string(regions.back()->end());
}

void Cluster::RunSchedulers() {
  constexpr int64_t kMinMs = 100, kMaxMs = 5'000;
  std::lock_guard lock(mu_);
  PauseLeaderMoves();
  if (!state_.prepared || state_.config.schedule().halted) return;
  const ClusterView view = View();
  for (SchedulerEntry& e : state_.schedulers) {
    if (view.now_ms < e.next_run_ms || e.Paused(view.now_ms)) continue;
    bool worked = false;
    for (Operator& op : e.scheduler->Schedule(view, state_.operators)) {
      worked |= state_.operators.Add(view, std::move(op)).ok();
    }
    // An idle scheduler runs ever more rarely: looking at everything costs, too.
    e.found_work = worked;
    e.interval_ms = worked ? kMinMs : std::clamp(e.interval_ms * 13 / 10, kMinMs, kMaxMs);
    e.next_run_ms = view.now_ms + e.interval_ms;
  }
}

void Cluster::PauseLeaderMoves() {
  for (const auto& [id, s] : state_.stores.all()) {
    StoreInfo* store = state_.stores.FindMutable(StoreId(id));
    store->pause_leader_in = store->pause_leader_out = store->slow_evicted = false;
  }
  // Whoever lost its stream takes no leaders until it reports again.
  for (const auto& [id, stream] : streams_) {
    StoreInfo* store = stream == nullptr ? state_.stores.FindMutable(StoreId(id)) : nullptr;
    if (store != nullptr) store->pause_leader_in = true;
  }
  for (const SchedulerEntry& e : state_.schedulers) {
    const std::string type = e.scheduler->type();
    for (StoreId id : e.scheduler->Stores()) {
      StoreInfo* store = state_.stores.FindMutable(id);
      if (store == nullptr) continue;
      store->pause_leader_in |= type == "evict-leader";
      store->pause_leader_out |= type == "grant-leader";
      store->slow_evicted |= type == "evict-slow-store";
    }
  }
}

void Cluster::TrackRemoval(const StoreInfo& store) {
  if (!store.removing()) return state_.removals.Forget(store.id());
  // Until every region has been reported nobody knows what the store holds.
  if (state_.regions.reported() < state_.regions.size()) return;
  const StoreRegions& held = state_.regions.OfStore(store.id());
  state_.removals.Update(store.id(), static_cast<double>(held.region_size_mib), NowMs());
}

void Cluster::CheckStores() {
  constexpr size_t kSmallCluster = 100;
  std::lock_guard lock(mu_);
  const RegionTable& regions = state_.regions;
  // Counts are only complete when every key's region has been reported to this leader: a store
  // that looks empty before that may hold the last replica of something.
  auto complete = [&] { return regions.reported() == regions.size() && regions.Holes().empty(); };
  std::vector<StoreId> ids;
  for (const auto& [id, s] : state_.stores.all()) ids.push_back(s.id());
  for (StoreId id : ids) {
    StoreInfo* s = state_.stores.FindMutable(id);
    TrackRemoval(*s);
    const size_t held = regions.OfStore(id).region_count();
    if (s->preparing() &&
        (regions.size() < kSmallCluster || held > 0 ||
         s->uptime_s() * 1000 > state_.config.schedule().max_store_preparing_ms)) {
      state_.stores.Serve(id).IgnoreError();
      PersistStore(*s, nullptr);
    } else if (s->removing() && held == 0 && (s->meta.physically_destroyed() || complete())) {
      if (state_.stores.Bury(id, held).ok()) {
        PersistStore(*s, nullptr);
        RaiseClusterVersion();
      }
    }
  }
}

}  // namespace tikv::pd
