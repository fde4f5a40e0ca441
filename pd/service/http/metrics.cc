#include "pd/service/http/metrics.h"

#include <algorithm>
#include <set>

#include "lib/metrics/metrics.h"
#include "pd/cluster/cluster.h"
#include "pd/schedule/filter.h"

namespace tikv::pd {
namespace {

// Twice the size at which stores split by themselves.
constexpr uint64_t kOversizedMib = 2 * 256;

struct ClusterSums {
  double capacity = 0, used = 0;
  std::map<std::string, double> counts;
};

ClusterSums Sum(const ClusterState& s, const ClusterView& v) {
  ClusterSums out;
  for (const char* name :
       {"store_up_count", "store_disconnected_count", "store_slow_count", "store_down_count",
        "store_unhealth_count", "store_offline_count", "store_tombstone_count",
        "store_low_space_count", "store_preparing_count", "store_serving_count",
        "store_removing_count", "store_removed_count"}) {
    out.counts[name] = 0;
  }
  const auto& c = s.config.schedule();
  for (const auto& [id, store] : s.stores.all()) {
    const std::string_view state = store.StateName(v.now_ms, c.max_store_down_ms);
    if (state == "Up") ++out.counts["store_up_count"];
    if (state == "Disconnected") ++out.counts["store_disconnected_count"];
    if (state == "Down") ++out.counts["store_down_count"];
    if (state == "Offline") ++out.counts["store_offline_count"];
    if (state == "Tombstone") ++out.counts["store_tombstone_count"];
    std::string node = metapb::NodeState_Name(store.meta.node_state());
    node[0] = static_cast<char>(node[0] + ('a' - 'A'));
    ++out.counts["store_" + node + "_count"];
    if (store.removed()) continue;
    if (store.silent_ms(v.now_ms) > kUnhealthyMs) ++out.counts["store_unhealth_count"];
    if (store.slow_evicted) ++out.counts["store_slow_count"];
    if (store.LowSpace(c.low_space_ratio, s.regions.size())) ++out.counts["store_low_space_count"];
    out.capacity += static_cast<double>(store.stats.capacity());
    out.used += static_cast<double>(store.stats.used_size());
  }
  return out;
}

void CollectStores(const ClusterState& s, const ClusterView& v, metrics::Samples* out) {
  constexpr char kName[] = "pd_scheduler_store_status", kHelp[] = "Status of each store.";
  for (const auto& [id, store] : s.stores.all()) {
    if (store.removed()) continue;
    const StoreRegions& held = s.regions.OfStore(store.id());
    const std::string address = store.meta.address(), number = std::to_string(id);
    auto gauge = [&](const char* type, double value) {
      out->AddGauge(kName, kHelp, {{"address", address}, {"store", number}, {"type", type}}, value);
    };
    gauge("leader_count", static_cast<double>(held.leaders.size()));
    gauge("region_count", static_cast<double>(held.region_count()));
    gauge("leader_size", static_cast<double>(held.leader_size_mib));
    gauge("region_size", static_cast<double>(held.region_size_mib));
    gauge("leader_score", LeaderScore(v, store, 0));
    gauge("region_score", RegionScore(v, store, 0));
    gauge("store_available", static_cast<double>(store.stats.available()));
    gauge("store_used", static_cast<double>(store.stats.used_size()));
    gauge("store_capacity", static_cast<double>(store.stats.capacity()));
  }
}

// What the configuration allows, by the names that dashboards read.
void CollectConfig(const ClusterState& s, metrics::Samples* out) {
  const ScheduleConfig& c = s.config.schedule();
  auto status = [&](const char* type, double value) {
    out->AddGauge("pd_config_status", "The configuration in numbers.", {{"type", type}}, value);
  };
  status("max-replicas", static_cast<double>(s.config.replication().max_replicas));
  status("placement-rules-enabled", 1);
  status("leader-schedule-limit", static_cast<double>(c.leader_schedule_limit));
  status("region-schedule-limit", static_cast<double>(c.region_schedule_limit));
  status("replica-schedule-limit", static_cast<double>(c.replica_schedule_limit));
  status("max-snapshot-count", static_cast<double>(c.max_snapshot_count));
  status("max-pending-peer-count", static_cast<double>(c.max_pending_peer_count));
  status("low-space-ratio", c.low_space_ratio);
  status("high-space-ratio", c.high_space_ratio);
  status("tolerant-size-ratio", c.tolerant_size_ratio);
  status("make-up-replica-enabled", c.make_up);
  status("remove-down-replica-enabled", c.remove_down);
  status("replace-offline-replica-enabled", c.replace_offline);
  status("remove-extra-replica-enabled", c.remove_extra);
  status("location-replacement-enabled", c.location_replacement);
  out->AddGauge("pd_scheduling_allowance_status", "Whether PD may schedule.",
                {{"kind", "halt-scheduling"}}, c.halted);
  out->AddGauge("pd_cluster_metadata", "Who this is.",
                {{"cluster", "cluster" + std::to_string(s.meta.id())}}, 1);
  for (const auto& [id, store] : s.stores.all()) {
    if (store.removed()) continue;
    const StoreLimit limit = c.LimitOf(store.id());
    for (const auto& [type, rate] :
         {std::pair("add-peer", limit.add_peer), std::pair("remove-peer", limit.remove_peer)}) {
      out->AddGauge("pd_cluster_store_limit", "Peers per minute.",
                    {{"store", std::to_string(id)}, {"type", type}}, rate);
    }
    for (const std::string& label : s.config.replication().location_labels) {
      const std::string_view value = store.Label(label);
      if (value.empty()) continue;
      const std::string name = fmt::format("{}:{}", label, value);
      out->AddGauge("pd_cluster_placement_status", "Stores by location.",
                    {{"type", label}, {"name", name}, {"store", std::to_string(id)}}, 1);
    }
  }
}

// By the first label in which a region's replicas all differ; "none" when they share everything.
void CollectIsolation(const ClusterState& s, metrics::Samples* out) {
  const auto& labels = s.config.replication().location_labels;
  std::map<std::string, double> counts;
  for (const std::string& label : labels) counts[label] = 0;
  counts["none"] = 0;
  s.regions.ForEach([&](const RegionPtr& r) {
    for (const std::string& label : labels) {
      std::set<std::string_view> seen;
      bool distinct = true;
      for (const auto& p : r->meta.peers()) {
        const StoreInfo* store = s.stores.Find(StoreId(p.store_id()));
        const std::string_view value = store == nullptr ? "" : store->Label(label);
        distinct = distinct && !value.empty() && seen.insert(value).second;
      }
      if (distinct) return void(++counts[label]);
    }
    ++counts["none"];
  });
  for (const auto& [type, n] : counts) {
    out->AddGauge("pd_regions_label_level", "Regions by how their replicas are spread.",
                  {{"type", type}}, n);
  }
}

void CollectRemovals(const ClusterState& s, metrics::Samples* out) {
  for (const auto& [id, history] : s.removals.all()) {
    const StoreInfo* store = s.stores.Find(StoreId(id));
    if (store == nullptr) continue;
    const Progress p = history.Now();
    const std::string number = std::to_string(id);
    auto gauge = [&](const char* name, double value) {
      out->AddGauge(name, "How far a store that is being removed has been emptied.",
                    {{"address", store->meta.address()}, {"store", number}, {"action", "removing"}},
                    value);
    };
    gauge("pd_cluster_progress", p.done);
    gauge("pd_cluster_speed", p.mib_per_second);
    gauge("pd_cluster_eta", p.left_seconds);
  }
}

void CollectRegions(const ClusterState& s, metrics::Samples* out) {
  double miss = 0, extra = 0, down = 0, pending = 0, learner = 0, empty = 0, offline = 0;
  double leaders = 0, oversized = 0, undersized = 0;
  const double small = static_cast<double>(s.config.schedule().max_merge_region_size);
  const int wanted = static_cast<int>(s.config.replication().max_replicas);
  s.regions.ForEach([&](const RegionPtr& r) {
    int voters = 0, learners = 0;
    bool on_offline = false;
    for (const auto& p : r->meta.peers()) {
      IsLearner(p) ? ++learners : ++voters;
      const StoreInfo* store = s.stores.Find(StoreId(p.store_id()));
      on_offline |= store == nullptr || !store->up();
    }
    miss += voters < wanted;
    extra += voters > wanted;
    learner += learners > 0;
    down += !r->down_peers.empty();
    pending += !r->pending_peers.empty();
    empty += r->approximate_size_mib <= 1;
    oversized += r->approximate_size_mib > kOversizedMib;
    undersized += static_cast<double>(r->approximate_size_mib) <= small;
    offline += on_offline;
    leaders += r->leader.id() != 0;
  });
  auto status = [&](const char* type, double value) {
    out->AddGauge("pd_regions_status", "Regions by what is wrong with them.", {{"type", type}},
                  value);
  };
  status("miss-peer-region-count", miss);
  status("extra-peer-region-count", extra);
  status("down-peer-region-count", down);
  status("pending-peer-region-count", pending);
  status("learner-peer-region-count", learner);
  status("empty-region-count", empty);
  status("offline-peer-region-count", offline);
  status("oversized-region-count", oversized);
  status("undersized-region-count", undersized);
  status("witness-leader-region-count", 0);
  out->AddGauge("pd_cluster_status", "Status of the cluster.",
                {{"type", "leader_count"}, {"namespace", "global"}}, leaders);
}

void CollectLeader(Cluster* cluster, metrics::Samples* out) {
  cluster->WithView([&](ClusterState& s, const ClusterView& v) {
    const ClusterSums sums = Sum(s, v);
    auto status = [&](const std::string& type, double value) {
      out->AddGauge("pd_cluster_status", "Status of the cluster.",
                    {{"type", type}, {"namespace", "global"}}, value);
    };
    for (const auto& [type, value] : sums.counts) status(type, value);
    status("region_count", static_cast<double>(s.regions.size()));
    status("storage_capacity", sums.capacity);
    status("storage_size", sums.used);
    CollectStores(s, v, out);
    CollectRemovals(s, out);
    CollectConfig(s, out);
    CollectIsolation(s, out);
    CollectRegions(s, out);
    std::map<std::string, double> operators;
    for (const auto& [id, op] : s.operators.running()) ++operators[op.desc];
    for (const auto& [type, n] : operators) {
      out->AddGauge("pd_schedule_operators_running", "Operators under way.", {{"type", type}}, n);
    }
    for (const SchedulerEntry& e : s.schedulers) {
      out->AddGauge("pd_scheduler_status", "Whether a scheduler may run.",
                    {{"kind", e.scheduler->name()}, {"type", "allow"}},
                    s.prepared && !e.Paused(v.now_ms) ? 1 : 0);
    }
  });
}

}  // namespace

void RegisterMetrics(Cluster* cluster, metrics::Registry* registry) {
  registry->AddCollector([cluster](metrics::Samples* out) {
    const bool leads = cluster->serving();
    out->AddGauge("etcd_server_is_leader", "Whether this member leads.", {}, leads ? 1 : 0);
    out->AddGauge("service_member_role", "1: leader, 0: follower.", {{"service", "PD"}},
                  leads ? 1 : 0);
    out->AddGauge("pd_cluster_id", "The cluster's id.", {},
                  static_cast<double>(cluster->cluster_id()));
    if (leads) CollectLeader(cluster, out);
  });
}

}  // namespace tikv::pd
