// Regions: one, lists, tops, health lists.
#include <algorithm>
#include <map>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/service/http/api.h"
#include "pd/service/http/shapes.h"

namespace tikv::pd {
namespace {

constexpr int64_t kDefaultLimit = 16, kMaxLimit = 10'240;

Json PeerJson(const metapb::Peer& p) {
  Json j = {{"id", p.id()}, {"store_id", p.store_id()}};
  if (p.role() != metapb::Voter) j["role"] = static_cast<int>(p.role());
  j["role_name"] = metapb::PeerRole_Name(p.role());
  if (p.role() == metapb::Learner) j["is_learner"] = true;
  if (p.is_witness()) j["is_witness"] = true;
  return j;
}

}  // namespace

Json RegionJson(const RegionInfo& r) {
  Json peers = Json::array(), down = Json::array(), pending = Json::array();
  for (const auto& p : r.meta.peers()) peers.push_back(PeerJson(p));
  for (const auto& d : r.down_peers) {
    down.push_back({{"down_seconds", d.down_seconds()}, {"peer", PeerJson(d.peer())}});
  }
  for (const auto& p : r.pending_peers) pending.push_back(PeerJson(p));
  const auto& e = r.meta.region_epoch();
  Json j = {{"id", r.meta.id()},
            {"start_key", Hex(r.start())},
            {"end_key", Hex(r.end())},
            {"epoch", {{"conf_ver", e.conf_ver()}, {"version", e.version()}}},
            {"peers", peers}};
  j["leader"] = r.leader.id() != 0 ? PeerJson(r.leader) : Json{{"role_name", "Voter"}};
  if (!down.empty()) j["down_peers"] = down;
  if (!pending.empty()) j["pending_peers"] = pending;
  j["cpu_usage"] = r.cpu_usage;
  j["written_bytes"] = r.written_bytes;
  j["read_bytes"] = r.read_bytes;
  j["written_keys"] = r.written_keys;
  j["read_keys"] = r.read_keys;
  j["approximate_size"] = r.approximate_size_mib;
  j["approximate_keys"] = r.approximate_keys;
  j["approximate_kv_size"] = r.approximate_kv_size_mib;
  return j;
}

Json RegionsJson(const std::vector<RegionPtr>& regions) {
  Json list = Json::array();
  for (const RegionPtr& r : regions) list.push_back(RegionJson(*r));
  return {{"count", regions.size()}, {"regions", list}};
}

namespace {

// ?limit=, within [1, kMaxLimit]; nullopt after a 400.
std::optional<int64_t> Limit(const CallPtr& call) {
  const std::string text = call->Query("limit");
  if (text.empty()) return kDefaultLimit;
  if (text.find_first_not_of("-0123456789") != text.npos || text.size() > 18) {
    call->Message(GoNumberError("Atoi", text), 400);
    return std::nullopt;
  }
  const int64_t n = std::atoll(text.c_str());
  return n <= 0 ? kDefaultLimit : std::min(n, kMaxLimit);
}

void NoSuchRegion(const CallPtr& call, uint64_t id) {
  call->Message(fmt::format("[PD:region:ErrRegionNotFound]region {} not found", id), 404);
}

RegionPtr Find(Api& api, uint64_t id) {
  return api.cluster().With([&](ClusterState& s) { return s.regions.ById(RegionId(id)); });
}

void ById(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"));
  if (!id) return;
  RegionPtr r = Find(api, *id);
  r != nullptr ? call->Reply(RegionJson(*r)) : NoSuchRegion(call, *id);
}

// A key as the caller wrote it; nullopt after a 400.
std::optional<std::string> Key(const CallPtr& call, const std::string& text) {
  if (call->Query("format") != "hex") return text;
  auto key = Unhex(text);
  if (!key) {
    const size_t bad = std::min(text.find_first_not_of("0123456789abcdefABCDEF"), text.size() - 1);
    call->Message(fmt::format("encoding/hex: invalid byte: U+{:04X} '{}'",
                              static_cast<unsigned char>(text[bad]), text[bad]),
                  400);
  }
  return key;
}

void ByKey(Api& api, const CallPtr& call) {
  auto key = Key(call, call->Param("key"));
  if (!key) return;
  RegionPtr r = api.cluster().With([&](ClusterState& s) { return s.regions.ByKey(*key); });
  r != nullptr ? call->Reply(RegionJson(*r)) : call->Reply(nullptr);
}

void All(Api& api, const CallPtr& call) {
  call->ReplyCompact(
      RegionsJson(api.cluster().With([](ClusterState& s) { return s.regions.Scan("", "", 0); })));
}

void InRange(Api& api, const CallPtr& call) {
  auto limit = Limit(call);
  if (!limit) return;
  auto start = Key(call, call->Query("key"));
  auto end = start ? Key(call, call->Query("end_key")) : std::nullopt;
  if (!end) return;
  call->ReplyCompact(RegionsJson(
      api.cluster().With([&](ClusterState& s) { return s.regions.Scan(*start, *end, *limit); })));
}

void Count(Api& api, const CallPtr& call) {
  const size_t n = api.cluster().With([](ClusterState& s) { return s.regions.size(); });
  call->ReplyCompact({{"count", n}, {"regions", nullptr}});
}

void OfStore(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"));
  if (!id) return;
  call->ReplyCompact(RegionsJson(api.cluster().With([&](ClusterState& s) {
    std::vector<RegionPtr> out;
    const StoreRegions& held = s.regions.OfStore(StoreId(*id));
    for (const RegionIdSet* set : {&held.leaders, &held.followers, &held.learners}) {
      for (uint64_t region : set->ids()) out.push_back(s.regions.ById(RegionId(region)));
    }
    return out;
  })));
}

void Siblings(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"));
  if (!id) return;
  RegionPtr r = Find(api, *id);
  if (r == nullptr) return NoSuchRegion(call, *id);
  call->ReplyCompact(RegionsJson(api.cluster().With([&](ClusterState& s) {
    std::vector<RegionPtr> out;
    if (RegionPtr prev = s.regions.Prev(r->start())) out.push_back(prev);
    if (RegionPtr next = s.regions.Next(*r)) out.push_back(next);
    return out;
  })));
}

using Measure = uint64_t (*)(const RegionInfo&);

const std::map<std::string, Measure>& Tops() {
  static const auto* const kTops = new std::map<std::string, Measure>{
      {"writeflow", [](const RegionInfo& r) { return r.written_bytes; }},
      {"writequery", [](const RegionInfo& r) { return r.write_queries; }},
      {"readflow", [](const RegionInfo& r) { return r.read_bytes; }},
      {"readquery", [](const RegionInfo& r) { return r.read_queries; }},
      {"confver", [](const RegionInfo& r) { return r.meta.region_epoch().conf_ver(); }},
      {"version", [](const RegionInfo& r) { return r.meta.region_epoch().version(); }},
      {"size", [](const RegionInfo& r) { return r.approximate_size_mib; }},
      {"keys", [](const RegionInfo& r) { return r.approximate_keys; }},
      {"cpu", [](const RegionInfo& r) { return r.cpu_usage; }},
  };
  return *kTops;
}

void Top(Api& api, const CallPtr& call, Measure measure) {
  auto limit = Limit(call);
  if (!limit) return;
  auto all = api.cluster().With([](ClusterState& s) { return s.regions.Scan("", "", 0); });
  const size_t n = std::min<size_t>(*limit, all.size());
  std::partial_sort(all.begin(), all.begin() + n, all.end(),
                    [&](const auto& a, const auto& b) { return measure(*a) > measure(*b); });
  all.resize(n);
  call->ReplyCompact(RegionsJson(all));
}

size_t Voters(const RegionInfo& r) {
  return std::count_if(r.meta.peers().begin(), r.meta.peers().end(),
                       [](const auto& p) { return IsVoter(p); });
}

using Fault = bool (*)(const RegionInfo&, const ClusterState&);

const std::map<std::string, Fault>& Faults() {
  static const auto* const kFaults = new std::map<std::string, Fault>{
      {"miss-peer",
       [](const RegionInfo& r, const ClusterState& s) {
         return Voters(r) < s.config.replication().max_replicas;
       }},
      {"extra-peer",
       [](const RegionInfo& r, const ClusterState& s) {
         return Voters(r) > s.config.replication().max_replicas;
       }},
      {"pending-peer",
       [](const RegionInfo& r, const ClusterState&) { return !r.pending_peers.empty(); }},
      {"down-peer", [](const RegionInfo& r, const ClusterState&) { return !r.down_peers.empty(); }},
      {"learner-peer",
       [](const RegionInfo& r, const ClusterState&) {
         return std::any_of(r.meta.peers().begin(), r.meta.peers().end(),
                            [](const auto& p) { return IsLearner(p); });
       }},
      {"empty-region",
       [](const RegionInfo& r, const ClusterState&) { return r.approximate_size_mib <= 1; }},
      {"offline-peer",
       [](const RegionInfo& r, const ClusterState& s) {
         return std::any_of(r.meta.peers().begin(), r.meta.peers().end(), [&](const auto& p) {
           const StoreInfo* store = s.stores.Find(StoreId(p.store_id()));
           return store == nullptr || !store->up();
         });
       }},
      // Twice the size at which stores split by themselves, and what may be merged.
      {"oversized-region",
       [](const RegionInfo& r, const ClusterState&) { return r.approximate_size_mib > 2 * 256; }},
      {"undersized-region",
       [](const RegionInfo& r, const ClusterState& s) {
         return r.approximate_size_mib > 0 &&
                r.approximate_size_mib <= s.config.schedule().max_merge_region_size;
       }},
  };
  return *kFaults;
}

void Faulty(Api& api, const CallPtr& call, Fault fault) {
  call->ReplyCompact(RegionsJson(api.cluster().With([&](ClusterState& s) {
    std::vector<RegionPtr> out;
    s.regions.ForEach([&](const RegionPtr& r) {
      if (fault(*r, s)) out.push_back(r);
    });
    return out;
  })));
}

// How many regions have a size (in keys or MiB) within each span of `step`.
void Histogram(Api& api, const CallPtr& call, Measure measure, uint64_t step) {
  auto all = api.cluster().With([](ClusterState& s) { return s.regions.Scan("", "", 0); });
  std::map<uint64_t, uint64_t> counts;
  for (const RegionPtr& r : all) ++counts[measure(*r) / step];
  Json out = Json::array();
  for (const auto& [bucket, n] : counts) {
    out.push_back({{"start", bucket * step}, {"end", (bucket + 1) * step - 1}, {"count", n}});
  }
  call->Reply(out);
}

void Holes(Api& api, const CallPtr& call) {
  auto holes = api.cluster().With([](ClusterState& s) { return s.regions.Holes(); });
  Json out = Json::array();
  for (const auto& [start, end] : holes) out.push_back(Json::array({Hex(start), Hex(end)}));
  call->Reply(out);
}

}  // namespace

void RegisterRegionRoutes(Api& api) {
  const Served c = Served::kCluster;
  api.Route("GET", "region/id/{id}", c, ById);
  api.Route("GET", "region/key/{key}", c, ByKey);
  api.Route("GET", "regions", c, All);
  api.Route("GET", "regions/key", c, InRange);
  api.Route("GET", "regions/count", c, Count);
  api.Route("GET", "regions/store/{id}", c, OfStore);
  api.Route("GET", "regions/keyspace/id/{id}", c, InRange);
  api.Route("GET", "regions/sibling/{id}", c, Siblings);
  api.Route("GET", "regions/range-holes", c, Holes);
  for (const auto& [name, measure] : Tops()) {
    api.Route("GET", "regions/" + name, c,
              [measure = measure](Api& a, const CallPtr& call) { Top(a, call, measure); });
  }
  for (const auto& [name, fault] : Faults()) {
    api.Route("GET", "regions/check/" + name, c,
              [fault = fault](Api& a, const CallPtr& call) { Faulty(a, call, fault); });
  }
  api.Route("GET", "regions/check/hist-size", c,
            [](Api& a, const CallPtr& call) { Histogram(a, call, Tops().at("size"), 10); });
  api.Route("GET", "regions/check/hist-keys", c,
            [](Api& a, const CallPtr& call) { Histogram(a, call, Tops().at("keys"), 10'000); });
}

}  // namespace tikv::pd
