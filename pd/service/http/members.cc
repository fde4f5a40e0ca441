// Members, the leader, health, version.
#include "lib/base/status.h"
#include "lib/env/clock.h"
#include "pd/core/duration.h"
#include "pd/meta/meta_store.h"
#include "pd/service/http/api.h"

namespace tikv::pd {
namespace {

Json MemberJson(const meta::Member& m) {
  Json j;
  if (!m.name.empty()) j["name"] = m.name;
  j["member_id"] = m.id;
  j["peer_urls"] = m.peer_urls;
  if (!m.client_urls.empty()) j["client_urls"] = m.client_urls;
  if (m.leader_priority != 0) j["leader_priority"] = m.leader_priority;
  j["deploy_path"] = m.deploy_path;
  j["binary_version"] = m.binary_version;
  j["git_hash"] = m.git_hash;
  return j;
}

std::optional<meta::Member> ByName(Api& api, const std::string& name) {
  for (auto& m : api.meta().Members()) {
    if (m.name == name) return m;
  }
  return std::nullopt;
}

void GetMembers(Api& api, const CallPtr& call) {
  Json j = {{"header", {{"cluster_id", api.cluster().cluster_id()}}}, {"members", Json::array()}};
  for (const auto& m : api.meta().Members()) j["members"].push_back(MemberJson(m));
  if (auto leader = api.meta().Leader()) {
    j["leader"] = MemberJson(*leader);
    j["etcd_leader"] = MemberJson(*leader);
  }
  call->Reply(j);
}

// A new member has a name in the list once it has joined for good.
bool Joined(Api& api) {
  const meta::MemberId self = api.meta().Self().id;
  for (const auto& m : api.meta().Members()) {
    if (m.id == self) return !m.name.empty();
  }
  return false;
}

// Answers once a leader is known and this member belongs to it, and the leader itself once it
// serves: tools that wait for this expect PD to work then.
void GetLeader(Api& api, const CallPtr& call) {
  auto leader = api.meta().Leader();
  const bool self = leader && leader->id == api.meta().Self().id;
  const bool ready = leader && (self ? api.cluster().serving() : Joined(api));
  if (!ready) return call->Plain("no leader", 503);
  call->Reply(MemberJson(*leader));
}

void RemoveMember(Api& api, const CallPtr& call, meta::MemberId id, const std::string& shown) {
  api.meta().RemoveMember(id, [call, shown](absl::Status s) {
    if (s.ok()) return call->Message("removed, pd: " + shown);
    call->Message(absl::IsNotFound(s) ? "etcdserver: member not found" : Message(s), 500);
  });
}

void DeleteByName(Api& api, const CallPtr& call) {
  const std::string& name = call->Param("name");
  auto m = ByName(api, name);
  if (!m) return call->Message(fmt::format("not found, pd: {}", name), 404);
  RemoveMember(api, call, m->id, name);
}

void DeleteById(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"));
  if (id) RemoveMember(api, call, *id, std::to_string(*id));
}

void SetPriority(Api& api, const CallPtr& call) {
  const std::string& name = call->Param("name");
  auto m = ByName(api, name);
  if (!m) return call->Message(fmt::format("not found, pd: {}", name), 404);
  auto body = call->Body();
  if (!body) return;
  if (!body->is_object()) return call->InputError("json: cannot unmarshal into map");
  auto it = body->find("leader-priority");
  if (it == body->end()) return call->Message("success");
  const bool fits = it->is_number() && std::abs(it->get<double>()) < 1e9;
  if (!fits) return call->Message("bad format leader priority", 400);
  api.meta().SetLeaderPriority(m->id, static_cast<int32_t>(it->get<double>()),
                               call->Then("success"));
}

void Resign(Api& api, const CallPtr& call) {
  api.meta().Resign(call->Then("The resign command is submitted."));
}

void Transfer(Api& api, const CallPtr& call) {
  auto m = ByName(api, call->Param("name"));
  if (!m) return call->Message("no valid pd to transfer etcd leader", 500);
  const char* done = "The transfer command is submitted.";
  if (m->id == api.meta().Self().id) return call->Message(done);
  api.meta().TransferLeader(m->id, call->Then(done));
}

void Health(Api& api, const CallPtr& call) {
  Json list = Json::array();
  for (const auto& m : api.meta().Members()) {
    list.push_back({{"name", m.name},
                    {"member_id", m.id},
                    {"client_urls", m.client_urls},
                    {"health", api.meta().IsHealthy(m.id)}});
  }
  call->Reply(list);
}

void Ping(Api&, const CallPtr& call) { call->Plain("", 200); }

void GetVersion(Api& api, const CallPtr& call) {
  call->Reply({{"version", api.cluster().host().reported_version},
               {"branch", "main"},
               {"build_time", FormatTime(api.cluster().host().start_time_seconds * 1'000'000'000)},
               {"hash", api.cluster().host().own_version}});
}

void GetStatus(Api& api, const CallPtr& call) {
  const Host& host = api.cluster().host();
  call->Reply({{"build_ts", FormatTime(host.start_time_seconds * 1'000'000'000)},
               {"version", host.reported_version},
               {"git_hash", host.own_version},
               {"start_timestamp", host.start_time_seconds},
               {"kernel_type", "Classic"}});
}

void GetCluster(Api& api, const CallPtr& call) {
  const uint64_t id = api.cluster().cluster_id();
  call->Reply(api.cluster().With([&](ClusterState& s) -> Json {
    return {{"id", id}, {"max_peer_count", s.config.replication().max_replicas}};
  }));
}

void GetClusterStatus(Api& api, const CallPtr& call) {
  call->Reply(api.cluster().With([](ClusterState& s) -> Json {
    return {{"raft_bootstrap_time", s.bootstrapped ? FormatTime(s.bootstrap_time_s * 1'000'000'000)
                                                   : "0001-01-01T00:00:00Z"},
            {"is_initialized", s.bootstrapped && s.Initialized()},
            {"replication_status", ""}};
  }));
}

}  // namespace

void RegisterMemberRoutes(Api& api) {
  api.Route("GET", "members", Served::kHere, GetMembers);
  api.Route("DELETE", "members/name/{name}", Served::kLeader, DeleteByName);
  api.Route("DELETE", "members/id/{id}", Served::kLeader, DeleteById);
  api.Route("POST", "members/name/{name}", Served::kLeader, SetPriority);
  api.Route("GET", "leader", Served::kHere, GetLeader);
  api.Route("POST", "leader/resign", Served::kLeader, Resign);
  api.Route("POST", "leader/transfer/{name}", Served::kLeader, Transfer);
  api.Route("GET", "health", Served::kHere, Health);
  api.Route("GET", "/pd/health", Served::kHere, Health);
  api.Route("GET", "ping", Served::kHere, Ping);
  api.Route("GET", "/pd/ping", Served::kHere, Ping);
  api.Route("GET", "version", Served::kHere, GetVersion);
  api.Route("GET", "status", Served::kHere, GetStatus);
  api.Route("GET", "cluster", Served::kLeader, GetCluster);
  api.Route("GET", "cluster/status", Served::kLeader, GetClusterStatus);
}

}  // namespace tikv::pd
