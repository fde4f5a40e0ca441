// Operators: lists, adding by hand, cancelling.
#include <map>
#include <set>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/core/duration.h"
#include "pd/schedule/builder.h"
#include "pd/schedule/filter.h"
#include "pd/service/http/api.h"

namespace tikv::pd {
namespace {

std::string Shown(const Operator& op) {
  return fmt::format("status: {}, operator: {}", StatusText(op.status), op.Text());
}

std::string ShownRecord(const Operator& op) {
  return fmt::format("{} (finishAt:{}, duration:{})", op.Text(),
                     FormatTime(op.finished_ms * 1'000'000),
                     FormatDuration((op.finished_ms - op.created_ms) * 1'000'000));
}

Json ObjectJson(const Operator& op) {
  Json steps = Json::array();
  for (const Step& s : op.steps) steps.push_back(Describe(s));
  return {{"desc", op.desc},
          {"brief", op.brief},
          {"region_id", op.region.value},
          {"region_epoch", {{"conf_ver", op.epoch.conf_ver()}, {"version", op.epoch.version()}}},
          {"kind", KindText(op.kind)},
          {"steps", steps},
          {"current_step", op.current},
          {"status", StatusText(op.status)},
          {"timeout", ""}};
}

void List(Api& api, const CallPtr& call) {
  uint32_t kinds = 0;
  for (const auto& [name, value] : call->request().query) {
    if (name == "kind") kinds |= KindByName(value);
  }
  const bool all = !call->request().Query("kind");
  const bool objects = call->request().Query("object").has_value();
  call->Reply(api.cluster().With([&](ClusterState& s) {
    Json out = Json::array();
    for (const auto& [id, op] : s.operators.running()) {
      if (!all && (op.kind & kinds) == 0) continue;
      out.push_back(objects ? ObjectJson(op) : Json(op.Text()));
    }
    return out;
  }));
}

void Get(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"));
  if (!id) return;
  auto text = api.cluster().With([&](ClusterState& s) -> std::optional<std::string> {
    const Operator* op = s.operators.Latest(RegionId(*id));
    if (op == nullptr) return std::nullopt;
    return Shown(*op);
  });
  text ? call->Message(*text)
       : call->Message("[PD:operator:ErrOperatorNotFound]operator not found", 500);
}

void Cancel(Api& api, const CallPtr& call) {
  auto id = call->Id(call->Param("id"));
  if (!id) return;
  const int64_t now = api.cluster().NowMs();
  absl::Status s = api.cluster().With([&](ClusterState& state) {
    return state.operators.Cancel(RegionId(*id), now, "cancelled by an administrator");
  });
  s.ok() ? call->Message("The pending operator is canceled.") : call->Error(s);
}

void Records(Api& api, const CallPtr& call) {
  uint64_t from_s = 0;
  if (const std::string from = call->Query("from"); !from.empty()) {
    auto n = call->Id(from);
    if (!n) return;
    from_s = *n;
  }
  call->Reply(api.cluster().With([&](ClusterState& s) {
    Json out = Json::array();
    for (const Operator& op : s.operators.records()) {
      if (static_cast<uint64_t>(op.finished_ms / 1000) >= from_s) out.push_back(ShownRecord(op));
    }
    return out;
  }));
}

// Ids out of the request's body; 0 when missing or no id.
struct Arguments {
  const Json& body;

  uint64_t Id(const char* name) const {
    auto it = body.find(name);
    return it == body.end() ? 0 : AsUint(*it).value_or(0);
  }
};

using Built = absl::StatusOr<Operator>;
using Build = std::function<Built(const ClusterView&, const RegionPtr&)>;

// What the request lacks becomes InvalidArgument (400), everything later is a 500.
absl::StatusOr<Build> ReadLeader(const Arguments& a) {
  const uint64_t to = a.Id("to_store_id");
  if (to == 0) return InvalidArgument("missing store id to transfer leader to");
  return Build([to](const ClusterView& v, const RegionPtr& r) {
    return MoveLeader(v, r, StoreId(to), "admin-transfer-leader", kOpAdmin);
  });
}

absl::StatusOr<Build> ReadAddPeer(const Arguments& a, bool learner) {
  const uint64_t store = a.Id("store_id");
  if (store == 0) return InvalidArgument("missing store id to transfer peer to");
  return Build([=](const ClusterView& v, const RegionPtr& r) {
    OperatorBuilder b(v, r, learner ? "admin-add-learner" : "admin-add-peer");
    learner ? b.AddLearnerPeer(StoreId(store)) : b.AddPeer(StoreId(store));
    return b.Build(kOpAdmin | kOpRegion,
                   fmt::format("add {}: store [{}]", learner ? "learner" : "peer", store));
  });
}

absl::StatusOr<Build> ReadRemovePeer(const Arguments& a) {
  const uint64_t store = a.Id("store_id");
  if (store == 0) return InvalidArgument("missing store id to remove peer from");
  return Build([=](const ClusterView& v, const RegionPtr& r) {
    OperatorBuilder b(v, r, "admin-remove-peer");
    return b.RemovePeerOn(StoreId(store))
        .Build(kOpAdmin | kOpRegion, fmt::format("rm peer: store [{}]", store));
  });
}

absl::StatusOr<Build> ReadMovePeer(const Arguments& a) {
  const uint64_t from = a.Id("from_store_id"), to = a.Id("to_store_id");
  if (from == 0) return InvalidArgument("invalid store id to transfer peer from");
  if (to == 0) return InvalidArgument("invalid store id to transfer peer to");
  return Build([=](const ClusterView& v, const RegionPtr& r) {
    return MovePeer(v, r, StoreId(from), StoreId(to), "admin-move-peer", kOpAdmin);
  });
}

// The region's peers become exactly those on the given stores.
absl::StatusOr<Build> ReadMoveRegion(const Arguments& a) {
  std::set<StoreId> wanted;
  if (auto it = a.body.find("to_store_ids"); it != a.body.end() && it->is_array()) {
    for (const Json& id : *it) {
      auto n = AsUint(id);
      if (!n || *n == 0) return InvalidArgument("invalid store ids to transfer region to");
      wanted.insert(StoreId(*n));
    }
  }
  if (wanted.empty()) return InvalidArgument("invalid store ids to transfer region to");
  return Build([=](const ClusterView& v, const RegionPtr& r) {
    OperatorBuilder b(v, r, "admin-move-region");
    for (StoreId s : wanted) {
      if (r->PeerOn(s) == nullptr) b.AddPeer(s);
    }
    for (const auto& p : r->meta.peers()) {
      const StoreId s(p.store_id());
      if (!wanted.contains(s)) b.RemovePeerOn(s);
    }
    return b.Build(kOpAdmin | kOpRegion, "mv region");
  });
}

absl::StatusOr<Build> ReadSplit(const Arguments& a) {
  const std::string policy = a.body.value("policy", Json("")).is_string()
                                 ? a.body.value("policy", Json("")).get<std::string>()
                                 : "";
  std::string upper;
  for (char c : policy) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  pdpb::CheckPolicy how;
  if (!pdpb::CheckPolicy_Parse(upper, &how)) {
    return InvalidArgument("check policy is not supported");
  }
  std::vector<std::string> keys;
  if (auto it = a.body.find("keys"); it != a.body.end() && it->is_array()) {
    for (const Json& text : *it) {
      auto key = text.is_string() ? Unhex(text.get<std::string>()) : std::nullopt;
      if (!key) return InvalidArgument("split keys should be hex strings");
      keys.push_back(*key);
    }
  }
  if (how == pdpb::USEKEY && keys.empty()) {
    return InvalidArgument("policy usekey needs keys");
  }
  return Build([=](const ClusterView& v, const RegionPtr& r) -> Built {
    return SplitAt(v, *r, how, keys, "admin-split-region", kOpAdmin);
  });
}

absl::StatusOr<Build> ReadScatter(const Arguments&) {
  return Build([](const ClusterView& v, const RegionPtr& r) -> Built {
    const metapb::Peer* to = BestLeader(v, *r, nullptr);
    if (to == nullptr) return FailedPrecondition("no operator is needed");
    return MoveLeader(v, r, StoreId(to->store_id()), "scatter-region", kOpAdmin);
  });
}

using Reader = std::function<absl::StatusOr<Build>(const Arguments&)>;

const std::map<std::string, Reader>& Readers() {
  static const auto* const kReaders = new std::map<std::string, Reader>{
      {"transfer-leader", ReadLeader},
      {"transfer-region", ReadMoveRegion},
      {"transfer-peer", ReadMovePeer},
      {"add-peer", [](const Arguments& a) { return ReadAddPeer(a, false); }},
      {"add-learner", [](const Arguments& a) { return ReadAddPeer(a, true); }},
      {"remove-peer", ReadRemovePeer},
      {"split-region", ReadSplit},
      {"scatter-region", ReadScatter},
  };
  return *kReaders;
}

void Add(Api& api, const CallPtr& call) {
  auto body = call->Body();
  if (!body) return;
  if (!body->is_object()) return call->InputError("json: cannot unmarshal into map");
  auto name = body->find("name");
  if (name == body->end() || !name->is_string()) {
    return call->Message("missing operator name", 400);
  }
  auto reader = Readers().find(name->get<std::string>());
  if (reader == Readers().end()) return call->Message("unknown operator", 400);
  const Arguments arguments{*body};
  const uint64_t id = arguments.Id("region_id");
  if (id == 0) return call->Message("missing region id", 400);
  auto build = reader->second(arguments);
  if (!build.ok()) return call->Message(Message(build.status()), 400);
  absl::Status s = api.cluster().AddOperator(
      [&](const ClusterView& view, ClusterState& state) -> absl::StatusOr<Operator> {
        RegionPtr region = state.regions.ById(RegionId(id));
        if (region == nullptr) {
          return Internal("[PD:region:ErrRegionNotFound]region {} not found", id);
        }
        ASSIGN_OR_RETURN(Operator op, (*build)(view, region));
        op.priority = OperatorPriority::kUrgent;
        return op;
      });
  s.ok() ? call->Message("The operator is created.") : call->Message(Message(s), 500);
}

}  // namespace

void RegisterOperatorRoutes(Api& api) {
  const Served c = Served::kCluster;
  api.Route("GET", "operators", c, List);
  api.Route("POST", "operators", c, Add);
  api.Route("GET", "operators/records", c, Records);
  api.Route("GET", "operators/{id}", c, Get);
  api.Route("DELETE", "operators/{id}", c, Cancel);
}

}  // namespace tikv::pd
