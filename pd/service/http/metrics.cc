#include "pd/service/http/metrics.h"

#include <algorithm>

#include "lib/metrics/metrics.h"
#include "pd/cluster/cluster.h"
#include "pd/schedule/filter.h"

namespace tikv::pd {
namespace {

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
    auto gauge = [&](const char* type, double value) {
      out->AddGauge(
          kName, kHelp,
          {{"address", store.meta.address()}, {"store", std::to_string(id)}, {"type", type}},
          value);
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

void CollectRegions(const ClusterState& s, metrics::Samples* out) {
  double miss = 0, extra = 0, down = 0, pending = 0, learner = 0, empty = 0, offline = 0;
  double leaders = 0;
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
