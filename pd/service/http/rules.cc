// Placement rules and region labels: the default rule can be read, nothing can be changed.
#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/service/http/api.h"

namespace tikv::pd {
namespace {

constexpr char kDisabled[] =
    "[PD:placement:ErrPlacementDisabled]placement rules feature is disabled";
constexpr char kNoRule[] = "[PD:placement:ErrRuleNotFound]rule not found";

// Replication as configured, in the shape of a rule.
Json DefaultRule(Api& api) {
  return api.cluster().With([](ClusterState& s) -> Json {
    Json rule = {{"group_id", "pd"},
                 {"id", "default"},
                 {"start_key", ""},
                 {"end_key", ""},
                 {"role", "voter"},
                 {"is_witness", false},
                 {"count", s.config.replication().max_replicas}};
    if (!s.config.replication().location_labels.empty()) {
      rule["location_labels"] = s.config.replication().location_labels;
    }
    return rule;
  });
}

Json DefaultBundle(Api& api) {
  return {{"group_id", "pd"},
          {"group_index", 0},
          {"group_override", false},
          {"rules", Json::array({DefaultRule(api)})}};
}

void Refuse(Api&, const CallPtr& call) { call->Message(kDisabled, 412); }

void AllRules(Api& api, const CallPtr& call) { call->Reply(Json::array({DefaultRule(api)})); }

void GroupRules(Api& api, const CallPtr& call) {
  call->Param("group") == "pd" ? AllRules(api, call) : call->Reply(nullptr);
}

void OneRule(Api& api, const CallPtr& call) {
  const bool is_default = call->Param("group") == "pd" && call->Param("id") == "default";
  is_default ? call->Reply(DefaultRule(api)) : call->Message(kNoRule, 404);
}

void KeyRules(Api& api, const CallPtr& call) {
  if (!Unhex(call->Param("key"))) {
    return call->Message("[PD:placement:ErrKeyFormat]key should be in hex format", 400);
  }
  AllRules(api, call);
}

// nullptr after a 400 or 404.
RegionPtr RegionOf(Api& api, const CallPtr& call) {
  const std::string text = call->Param("id");
  const bool digits =
      !text.empty() && text.size() < 20 && text.find_first_not_of("0123456789") == text.npos;
  if (!digits) {
    call->Message("[PD:region:ErrRegionInvalidID]invalid region id", 400);
    return nullptr;
  }
  RegionPtr r = api.cluster().With(
      [&](ClusterState& s) { return s.regions.ById(RegionId(std::stoull(text))); });
  if (r == nullptr) {
    call->Message(fmt::format("[PD:region:ErrRegionNotFound]region {} not found", text), 404);
  }
  return r;
}

void RegionRules(Api& api, const CallPtr& call) {
  if (RegionOf(api, call) != nullptr) AllRules(api, call);
}

void RegionFit(Api& api, const CallPtr& call) {
  RegionPtr r = RegionOf(api, call);
  if (r == nullptr) return;
  Json peers = Json::array();
  for (const auto& p : r->meta.peers())
    peers.push_back({{"id", p.id()}, {"store_id", p.store_id()}});
  call->Reply(
      {{"rule-fits", {{{"rule", DefaultRule(api)}, {"peers", peers}}}}, {"orphan-peers", nullptr}});
}

void Groups(Api&, const CallPtr& call) { call->Reply(Json::array()); }
void OneGroup(Api&, const CallPtr& call) { call->Reply(nullptr, 404); }

void Bundles(Api& api, const CallPtr& call) { call->Reply(Json::array({DefaultBundle(api)})); }

void OneBundle(Api& api, const CallPtr& call) {
  if (call->Param("group") == "pd") return call->Reply(DefaultBundle(api));
  call->Reply({{"group_id", call->Param("group")},
               {"group_index", 0},
               {"group_override", false},
               {"rules", nullptr}});
}

void NoLabels(Api&, const CallPtr& call) { call->Reply(Json::array()); }
void NoLabelRule(Api&, const CallPtr& call) {
  call->Message(
      fmt::format("[PD:region:ErrRegionRuleNotFound]region label rule not found for id {}",
                  call->Param("id").substr(0, 128)),
      404);
}
void LabelsOfRegion(Api& api, const CallPtr& call) {
  if (RegionOf(api, call) != nullptr) call->Reply(Json::array());
}
void RefuseLabels(Api&, const CallPtr& call) {
  call->Message("region labels are not supported", 501);
}

}  // namespace

void RegisterRuleRoutes(Api& api) {
  const Served c = Served::kCluster;
  api.Route("GET", "config/rules", c, AllRules);
  api.Route("GET", "config/rules/group/{group}", c, GroupRules);
  api.Route("GET", "config/rules/region/{id}", c, RegionRules);
  api.Route("GET", "config/rules/region/{id}/detail", c, RegionFit);
  api.Route("GET", "config/rules/key/{key}", c, KeyRules);
  api.Route("GET", "config/rule/{group}/{id}", c, OneRule);
  api.Route("GET", "config/rule_group/{id}", c, OneGroup);
  api.Route("GET", "config/rule_groups", c, Groups);
  api.Route("GET", "config/placement-rule", c, Bundles);
  api.Route("GET", "config/placement-rule/{group}", c, OneBundle);
  const std::pair<const char*, const char*> changes[] = {
      {"POST", "config/rules"},
      {"POST", "config/rules/batch"},
      {"POST", "config/rule"},
      {"DELETE", "config/rule/{group}/{id}"},
      {"POST", "config/rule_group"},
      {"DELETE", "config/rule_group/{id}"},
      {"POST", "config/placement-rule"},
      {"POST", "config/placement-rule/{group}"},
      {"DELETE", "config/placement-rule/{group}"}};
  for (const auto& [method, path] : changes) api.Route(method, path, c, Refuse);
  api.Route("GET", "config/region-label/rules", c, NoLabels);
  api.Route("GET", "config/region-label/rules/ids", c, NoLabels);
  api.Route("GET", "config/region-label/rule/{id}", c, NoLabelRule);
  api.Route("DELETE", "config/region-label/rule/{id}", c, NoLabelRule);
  api.Route("POST", "config/region-label/rule", c, RefuseLabels);
  api.Route("PATCH", "config/region-label/rules", c, RefuseLabels);
  api.Route("GET", "region/id/{id}/labels", c, LabelsOfRegion);
}

}  // namespace tikv::pd
