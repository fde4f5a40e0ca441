#include "client/ctl/cluster_status.h"

#include <nlohmann/json.hpp>

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::client {
namespace {

using nlohmann::json;

absl::StatusOr<json> Get(http::Client* client, const std::vector<std::string>& endpoints,
                         const std::string& path, std::chrono::milliseconds timeout) {
  std::string errors;
  for (const std::string& endpoint : endpoints) {
    const auto response = client->Fetch({.url = endpoint + path, .timeout = timeout});
    if (response.ok() && response->status == 200) {
      json body = json::parse(response->body, nullptr, /*allow_exceptions=*/false);
      if (!body.is_discarded()) return body;
      errors += fmt::format("; {}{} answered something that is no JSON", endpoint, path);
    } else if (response.ok()) {
      errors += fmt::format("; {}{} answered {} {}", endpoint, path, response->status,
                            response->body.substr(0, 200));
    } else {
      errors += fmt::format("; {}: {}", endpoint, Message(response.status()));
    }
  }
  return Unavailable("no PD member answers{}", errors);
}

// A field of an object or the default, also where PD sends null or another type.
template <class T>
T Field(const json& object, const char* name, T fallback) {
  const auto it = object.find(name);
  if (it == object.end()) return fallback;
  if constexpr (std::is_same_v<T, std::string>) {
    return it->is_string() ? it->template get<std::string>() : fallback;
  } else if constexpr (std::is_same_v<T, bool>) {
    return it->is_boolean() ? it->template get<bool>() : fallback;
  } else {
    return it->is_number() ? it->template get<T>() : fallback;
  }
}

json Sub(const json& object, const char* name) {
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? json::object() : *it;
}

StoreStatus ParseStore(const json& entry) {
  const json store = Sub(entry, "store");
  const json status = Sub(entry, "status");
  return {.id = Field<uint64_t>(store, "id", 0),
          .address = Field<std::string>(store, "address", ""),
          .state = Field<std::string>(store, "state_name", ""),
          .version = Field<std::string>(store, "version", ""),
          .leaders = Field<uint64_t>(status, "leader_count", 0),
          .regions = Field<uint64_t>(status, "region_count", 0),
          .used = Field<std::string>(status, "used_size", ""),
          .capacity = Field<std::string>(status, "capacity", ""),
          .region_size_mib = Field<uint64_t>(status, "region_size", 0)};
}

std::vector<MemberStatus> ParseMembers(const json& reply, const json& health) {
  const std::string leader = Field<std::string>(Sub(reply, "leader"), "name", "");
  std::vector<MemberStatus> members;
  for (const json& m : Sub(reply, "members")) {
    MemberStatus member{.name = Field<std::string>(m, "name", "")};
    const json urls = Sub(m, "client_urls");
    if (urls.is_array() && !urls.empty() && urls[0].is_string()) member.url = urls[0];
    member.leader = !member.name.empty() && member.name == leader;
    for (const json& h : health) {
      if (h.is_object() && Field<std::string>(h, "name", "") == member.name) {
        member.healthy = Field<bool>(h, "health", false);
      }
    }
    members.push_back(std::move(member));
  }
  return members;
}

}  // namespace

absl::StatusOr<ClusterStatus> FetchClusterStatus(http::Client* client,
                                                 const std::vector<std::string>& endpoints,
                                                 std::chrono::milliseconds timeout) {
  ASSIGN_OR_RETURN(const json members, Get(client, endpoints, "/pd/api/v1/members", timeout));
  ASSIGN_OR_RETURN(const json health, Get(client, endpoints, "/pd/api/v1/health", timeout));
  ClusterStatus status;
  status.cluster_id = Field<uint64_t>(Sub(members, "header"), "cluster_id", 0);
  status.members = ParseMembers(members, health);
  // Before the first store has come PD answers 500 here: a cluster without stores.
  const auto stores = Get(client, endpoints, "/pd/api/v1/stores", timeout);
  if (!stores.ok()) return status;
  for (const json& entry : Sub(*stores, "stores")) status.stores.push_back(ParseStore(entry));
  std::sort(status.stores.begin(), status.stores.end(),
            [](const StoreStatus& a, const StoreStatus& b) { return a.id < b.id; });
  return status;
}

std::string Align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], widths[i]) : row[i];
    }
    out += '\n';
  }
  return out;
}

std::string FormatTable(const ClusterStatus& status) {
  std::vector<std::vector<std::string>> rows = {
      {"STORE", "STATE", "ADDRESS", "LEADERS", "REGIONS", "SIZE", "CAPACITY"}};
  for (const StoreStatus& s : status.stores) {
    rows.push_back({std::to_string(s.id), s.state, s.address, std::to_string(s.leaders),
                    std::to_string(s.regions), s.used, s.capacity});
  }
  std::vector<std::vector<std::string>> members = {{"PD", "ROLE", "HEALTH", "URL"}};
  for (const MemberStatus& m : status.members) {
    members.push_back({m.name.empty() ? "(not started)" : m.name, m.leader ? "leader" : "follower",
                       m.healthy ? "healthy" : "unhealthy", m.url});
  }
  return Align(rows) + "\n" + Align(members);
}

std::string FormatJson(const ClusterStatus& status) {
  json out = {
      {"cluster_id", status.cluster_id}, {"stores", json::array()}, {"members", json::array()}};
  for (const StoreStatus& s : status.stores) {
    out["stores"].push_back({{"id", s.id},
                             {"address", s.address},
                             {"state", s.state},
                             {"version", s.version},
                             {"leaders", s.leaders},
                             {"regions", s.regions},
                             {"size", s.used},
                             {"capacity", s.capacity}});
  }
  for (const MemberStatus& m : status.members) {
    out["members"].push_back(
        {{"name", m.name}, {"url", m.url}, {"leader", m.leader}, {"healthy", m.healthy}});
  }
  return out.dump(2) + "\n";
}

}  // namespace tikv::client
