// Regions: what can be done with ranges of them.
#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/schedule/builder.h"
#include "pd/schedule/filter.h"
#include "pd/service/http/api.h"
#include "pd/service/http/shapes.h"

namespace tikv::pd {
namespace {

std::string HexError(std::string_view text) {
  const size_t bad = text.find_first_not_of("0123456789abcdefABCDEF");
  if (bad == text.npos) return "encoding/hex: odd length hex string";
  return fmt::format("encoding/hex: invalid byte: U+{:04X} '{}'",
                     static_cast<unsigned char>(text[bad]), text[bad]);
}

// Both bounds decoded from hex; nullopt after a 400.
std::optional<KeyRange> HexRange(const CallPtr& call, const std::string& start,
                                 const std::string& end) {
  auto s = Unhex(start), e = Unhex(end);
  if (!s || !e) {
    call->Message(HexError(s ? end : start), 400);
    return std::nullopt;
  }
  return KeyRange(*s, *e);
}

void Replicated(Api& api, const CallPtr& call) {
  if (!call->request().Query("startKey") || !call->request().Query("endKey")) {
    return call->Plain("404 page not found\n", 404);
  }
  auto range = HexRange(call, call->Query("startKey"), call->Query("endKey"));
  if (!range) return;
  const char* state = api.cluster().With([&](ClusterState& s) {
    const char* worst = "REPLICATED";
    for (const RegionPtr& r : s.regions.Scan(range->first, range->second, 0)) {
      const bool enough =
          static_cast<uint64_t>(r->meta.peers_size()) == s.config.replication().max_replicas;
      if (enough && r->Healthy()) continue;
      if (s.operators.Running(r->id()) == nullptr) return "PENDING";
      worst = "INPROGRESS";
    }
    return worst;
  });
  call->Message(state);
}

// {"start_key", "end_key"} in hex; nullopt after a 400.
std::optional<KeyRange> BodyRange(const CallPtr& call, const Json& body) {
  if (!body.is_object() || !body.contains("start_key") || !body["start_key"].is_string() ||
      !body.contains("end_key") || !body["end_key"].is_string()) {
    call->Message("start_key or end_key is not string", 400);
    return std::nullopt;
  }
  return HexRange(call, body["start_key"].get<std::string>(), body["end_key"].get<std::string>());
}

// The patrol comes by within a second or two anyway; the answer only confirms the range.
void Accelerate(Api&, const CallPtr& call) {
  auto body = call->Body();
  auto range = body ? BodyRange(call, *body) : std::nullopt;
  if (!range) return;
  call->Plain(fmt::format("\"Accelerate regions scheduling in a given range [{},{})\"\n",
                          Hex(range->first), Hex(range->second)),
              200);
}

void AccelerateBatch(Api&, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  if (!body->is_array()) return call->InputError("json: cannot unmarshal into array");
  std::string ranges;
  for (const Json& item : *body) {
    auto range = BodyRange(call, item);
    if (!range) return;
    ranges += fmt::format("[{},{})", Hex(range->first), Hex(range->second));
  }
  call->Plain(fmt::format("\"Accelerate regions scheduling in given ranges {}\"\n", ranges), 200);
}

bool ScatterOne(Api& api, uint64_t id) {
  absl::Status s = api.cluster().AddOperator(
      [&](const ClusterView& view, ClusterState& state) -> absl::StatusOr<Operator> {
        RegionPtr region = state.regions.ById(RegionId(id));
        if (region == nullptr) return NotFound("region {} not found", id);
        const metapb::Peer* to = BestLeader(view, *region, nullptr);
        if (to == nullptr) return FailedPrecondition("nothing to scatter");
        return MoveLeader(view, region, StoreId(to->store_id()), "scatter-region", kOpAdmin);
      });
  return !absl::IsNotFound(s);
}

void Scatter(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  const bool valid = body->is_object() && body->contains("regions_id") &&
                     (*body)["regions_id"].is_array() && !(*body)["regions_id"].empty();
  if (!valid) return call->Message("regions_id is invalid", 500);
  size_t done = 0;
  const Json& ids = (*body)["regions_id"];
  for (const Json& id : ids) {
    auto n = AsUint(id);
    if (!n) return call->Message("regions_id is invalid", 500);
    done += ScatterOne(api, *n) ? 1 : 0;
  }
  call->Reply({{"processed-percentage", 100 * done / ids.size()}});
}

// Orders splits; the stores carry them out, which the region lists show.
void Split(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  const bool given = body->is_object() && body->contains("split_keys") &&
                     (*body)["split_keys"].is_array() && !(*body)["split_keys"].empty();
  if (!given) return call->Message("split_keys should be provided.", 400);
  std::map<uint64_t, std::vector<std::string>> by_region;
  for (const Json& text : (*body)["split_keys"]) {
    auto key = text.is_string() ? Unhex(text.get<std::string>()) : std::nullopt;
    if (!key) return call->Message("split_keys should be hex strings", 400);
    RegionPtr r = api.cluster().With([&](ClusterState& s) { return s.regions.ByKey(*key); });
    if (r != nullptr && r->start() != *key) by_region[r->meta.id()].push_back(*key);
  }
  size_t ordered = 0;
  for (auto& [id, keys] : by_region) {
    absl::Status s = api.cluster().AddOperator(
        [&](const ClusterView& view, ClusterState& state) -> absl::StatusOr<Operator> {
          RegionPtr r = state.regions.ById(RegionId(id));
          if (r == nullptr) return NotFound("region {} not found", id);
          return SplitAt(view, *r, pdpb::USEKEY, keys, "admin-split-region", kOpAdmin);
        });
    ordered += s.ok() ? keys.size() : 0;
  }
  call->Reply({{"processed-percentage", 100 * ordered / (*body)["split_keys"].size()},
               {"regions-id", Json::array()}});
}

void DropRegion(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"));
  if (!id) return;
  api.cluster().DropRegion(RegionId(*id));
  call->Message("The region is removed from server cache.");
}

void DropRegions(Api& api, const CallPtr& call) {
  api.cluster().DropAllRegions();
  call->Message("All regions are removed from server cache.");
}

}  // namespace

void RegisterRegionActionRoutes(Api& api) {
  const Served c = Served::kCluster;
  api.Route("GET", "regions/replicated", c, Replicated);
  api.Route("POST", "regions/accelerate-schedule", c, Accelerate);
  api.Route("POST", "regions/accelerate-schedule/batch", c, AccelerateBatch);
  api.Route("POST", "regions/scatter", c, Scatter);
  api.Route("POST", "regions/split", c, Split);
  api.Route("DELETE", "admin/cache/region/{id}", c, DropRegion);
  api.Route("DELETE", "admin/cache/regions", c, DropRegions);
}

}  // namespace tikv::pd
