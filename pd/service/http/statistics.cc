// Sums over regions, hot spots, resolved timestamps.
#include <algorithm>

#include "lib/base/status.h"
#include "pd/service/http/api.h"
#include "pd/service/http/shapes.h"

namespace tikv::pd {
namespace {

void RangeStats(Api& api, const CallPtr& call) {
  const std::string start = call->Query("start_key"), end = call->Query("end_key");
  auto regions = api.cluster().With([&](ClusterState& s) { return s.regions.Scan(start, end, 0); });
  struct Sum {
    uint64_t leaders = 0, peers = 0, leader_size = 0, leader_keys = 0, size = 0, keys = 0;
  };
  std::map<uint64_t, Sum> stores;
  uint64_t empty = 0, size = 0, keys = 0;
  for (const RegionPtr& r : regions) {
    empty += r->approximate_size_mib <= 1 ? 1 : 0;
    size += r->approximate_size_mib;
    keys += r->approximate_keys;
    for (const auto& p : r->meta.peers()) {
      Sum& s = stores[p.store_id()];
      ++s.peers;
      s.size += r->approximate_size_mib;
      s.keys += r->approximate_keys;
      if (p.id() != r->leader.id()) continue;
      ++s.leaders;
      s.leader_size += r->approximate_size_mib;
      s.leader_keys += r->approximate_keys;
    }
  }
  Json out = {{"count", regions.size()},
              {"empty_count", empty},
              {"storage_size", size},
              {"storage_keys", keys}};
  auto per_store = [&](const char* name, uint64_t Sum::*field) {
    Json j = Json::object();
    for (const auto& [id, s] : stores) j[std::to_string(id)] = s.*field;
    out[name] = j;
  };
  per_store("store_leader_count", &Sum::leaders);
  per_store("store_peer_count", &Sum::peers);
  per_store("store_leader_size", &Sum::leader_size);
  per_store("store_leader_keys", &Sum::leader_keys);
  per_store("store_peer_size", &Sum::size);
  per_store("store_peer_keys", &Sum::keys);
  call->Reply(out);
}

struct HotKind {
  uint64_t RegionInfo::*bytes;
  uint64_t RegionInfo::*keys;
  uint64_t RegionInfo::*queries;
};

// Per store the regions with traffic worth naming, the hottest first.
Json HotPeers(const ClusterState& state, const HotKind& kind, bool leaders_only) {
  constexpr double kFloorBytes = 1024;  // Per second.
  constexpr size_t kMaxPerStore = 1000;
  Json out = Json::object();
  for (const auto& [id, store] : state.stores.all()) {
    const StoreRegions& held = state.regions.OfStore(store.id());
    std::vector<std::pair<double, RegionPtr>> hot;
    double bytes_sum = 0, keys_sum = 0, queries_sum = 0;
    auto add = [&](const RegionIdSet& set) {
      for (uint64_t region : set.ids()) {
        RegionPtr r = state.regions.ById(RegionId(region));
        const double seconds = static_cast<double>(r->interval_s());
        if (seconds == 0) continue;
        const double rate = (*r).*kind.bytes / seconds;
        if (rate < kFloorBytes) continue;
        bytes_sum += rate;
        keys_sum += (*r).*kind.keys / seconds;
        queries_sum += (*r).*kind.queries / seconds;
        hot.emplace_back(rate, r);
      }
    };
    add(held.leaders);
    if (!leaders_only) add(held.followers);
    std::sort(hot.begin(), hot.end(), [](auto& a, auto& b) { return a.first > b.first; });
    if (hot.size() > kMaxPerStore) hot.resize(kMaxPerStore);
    Json list = Json::array();
    for (const auto& [rate, r] : hot) {
      const double seconds = static_cast<double>(r->interval_s());
      list.push_back({{"store_id", id},
                      {"region_id", r->meta.id()},
                      {"is_leader", r->leader.store_id() == id},
                      {"flow_bytes", rate},
                      {"flow_keys", (*r).*kind.keys / seconds},
                      {"flow_query", (*r).*kind.queries / seconds}});
    }
    out[std::to_string(id)] = {{"total_flow_bytes", bytes_sum},
                               {"total_flow_keys", keys_sum},
                               {"total_flow_query", queries_sum},
                               {"regions_count", list.size()},
                               {"statistics", list}};
  }
  return out;
}

void Hot(Api& api, const CallPtr& call, const HotKind& kind) {
  for (const auto& [name, value] : call->request().query) {
    if (name != "store_id") continue;
    auto id = call->Id(value);
    if (!id) return;
    auto known =
        api.cluster().With([&](ClusterState& s) { return s.stores.Get(StoreId(*id)).status(); });
    if (!known.ok()) return call->Message(Message(known), 500);
  }
  call->Reply(api.cluster().With([&](ClusterState& s) {
    return Json{{"as_peer", HotPeers(s, kind, false)}, {"as_leader", HotPeers(s, kind, true)}};
  }));
}

void HotStores(Api& api, const CallPtr& call) {
  call->Reply(api.cluster().With([](ClusterState& s) {
    Json out = {{"bytes-write-rate", Json::object()}, {"bytes-read-rate", Json::object()},
                {"keys-write-rate", Json::object()},  {"keys-read-rate", Json::object()},
                {"query-write-rate", Json::object()}, {"query-read-rate", Json::object()}};
    for (const auto& [id, store] : s.stores.all()) {
      const auto& st = store.stats;
      const double seconds =
          st.interval().end_timestamp() > st.interval().start_timestamp()
              ? static_cast<double>(st.interval().end_timestamp() - st.interval().start_timestamp())
              : 10;
      const std::string key = std::to_string(id);
      out["bytes-write-rate"][key] = st.bytes_written() / seconds;
      out["bytes-read-rate"][key] = st.bytes_read() / seconds;
      out["keys-write-rate"][key] = st.keys_written() / seconds;
      out["keys-read-rate"][key] = st.keys_read() / seconds;
      const auto& q = st.query_stats();
      out["query-write-rate"][key] = (q.put() + q.delete_() + q.prewrite() + q.commit()) / seconds;
      out["query-read-rate"][key] = (q.get() + q.scan() + q.coprocessor()) / seconds;
    }
    return out;
  }));
}

// Hot regions are not recorded over time.
void HotHistory(Api&, const CallPtr& call) {
  if (!call->Body(false)) return;
  call->Reply({{"history_hot_region", Json::array()}});
}

void MinResolved(Api& api, const CallPtr& call, const std::vector<uint64_t>& stores,
                 bool per_store) {
  call->Reply(api.cluster().With([&](ClusterState& s) {
    auto of = [&](uint64_t id) {
      auto it = s.min_resolved_ts.find(id);
      return it == s.min_resolved_ts.end() ? uint64_t{0} : it->second;
    };
    uint64_t least = std::numeric_limits<uint64_t>::max();
    Json list = Json::object();
    for (uint64_t id : stores) {
      least = std::min(least, of(id));
      list[std::to_string(id)] = of(id);
    }
    Json out = {{"is_real_time", true},
                {"min_resolved_ts", stores.empty() ? 0 : least},
                {"persist_interval",
                 s.config.Section("pd-server").at("min-resolved-ts-persistence-interval")}};
    if (per_store) out["stores_min_resolved_ts"] = list;
    return out;
  }));
}

std::vector<uint64_t> LiveStores(Api& api) {
  return api.cluster().With([](ClusterState& s) {
    std::vector<uint64_t> out;
    for (const auto& [id, store] : s.stores.all()) {
      if (!store.removed()) out.push_back(id);
    }
    return out;
  });
}

void MinResolvedOfCluster(Api& api, const CallPtr& call) {
  const std::string scope = call->Query("scope");
  if (scope.empty()) return MinResolved(api, call, LiveStores(api), false);
  if (scope == "cluster") return MinResolved(api, call, LiveStores(api), true);
  std::vector<uint64_t> ids;
  for (size_t at = 0; at <= scope.size();) {
    const size_t comma = std::min(scope.find(',', at), scope.size());
    auto id = call->Id(scope.substr(at, comma - at));
    if (!id) return;
    ids.push_back(*id);
    at = comma + 1;
  }
  MinResolved(api, call, ids, true);
}

void MinResolvedOfStore(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"));
  if (id) MinResolved(api, call, {*id}, false);
}

}  // namespace

void RegisterStatisticRoutes(Api& api) {
  const Served c = Served::kCluster;
  api.Route("GET", "stats/region", c, RangeStats);
  api.Route("GET", "hotspot/regions/write", c, [](Api& a, const CallPtr& call) {
    Hot(a, call,
        {&RegionInfo::written_bytes, &RegionInfo::written_keys, &RegionInfo::write_queries});
  });
  api.Route("GET", "hotspot/regions/read", c, [](Api& a, const CallPtr& call) {
    Hot(a, call, {&RegionInfo::read_bytes, &RegionInfo::read_keys, &RegionInfo::read_queries});
  });
  api.Route("GET", "hotspot/regions/history", c, HotHistory);
  api.Route("GET", "hotspot/stores", c, HotStores);
  api.Route("GET", "hotspot/buckets", c,
            [](Api&, const CallPtr& call) { call->Reply(Json::object()); });
  api.Route("GET", "min-resolved-ts", c, MinResolvedOfCluster);
  api.Route("GET", "min-resolved-ts/{id}", c, MinResolvedOfStore);
}

}  // namespace tikv::pd
