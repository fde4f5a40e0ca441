#include "lib/base/status.h"
#include "pd/meta/meta_store.h"
#include "pd/service/grpc/other_services.h"
#include "proto/resource_manager.pb.h"

namespace tikv::pd {
namespace {

namespace pb = resource_manager;

constexpr char kPath[] = "/resource_manager.ResourceManager/";
// Where TiKV and TiDB read the groups, too.
constexpr char kSettings[] = "resource_group/settings/";
constexpr size_t kMaxNameBytes = 256;

pb::ResourceGroup DefaultGroup() {
  pb::ResourceGroup g;
  g.set_name("default");
  g.set_mode(pb::RUMode);
  g.set_priority(8);
  auto* settings = g.mutable_r_u_settings()->mutable_r_u()->mutable_settings();
  settings->set_fill_rate((uint64_t{1} << 31) - 1);
  settings->set_burst_limit(-1);
  return g;
}

absl::Status NoSuchGroup(const std::string& name) {
  return Unknown("resource group not found, the group {} does not exist", name);
}

using Groups = absl::StatusOr<std::vector<pb::ResourceGroup>>;

// The stored groups within `range`, and the default one unless it has been changed.
void Load(Cluster* cluster, meta::KeyRange range, Callback<Groups> done) {
  cluster->host().meta->Range(
      std::move(range), {}, [done = std::move(done)](absl::StatusOr<meta::RangeResult> r) mutable {
        if (!r.ok()) return std::move(done)(r.status());
        std::vector<pb::ResourceGroup> groups;
        for (const auto& kv : r->kvs) {
          pb::ResourceGroup g;
          if (g.ParseFromString(kv.value)) groups.push_back(std::move(g));
        }
        std::move(done)(std::move(groups));
      });
}

void Get(Cluster* cluster, const pb::GetResourceGroupRequest& request,
         rpc::Responder<pb::GetResourceGroupResponse> responder) {
  const std::string name = request.resource_group_name();
  Load(cluster, meta::KeyRange::Single(kSettings + name),
       [name, responder = std::move(responder)](Groups groups) mutable {
         if (!groups.ok()) return responder.Fail(groups.status());
         if (groups->empty() && name == "default") groups->push_back(DefaultGroup());
         if (groups->empty()) return responder.Fail(NoSuchGroup(name));
         pb::GetResourceGroupResponse r;
         *r.mutable_group() = groups->front();
         responder.Reply(r);
       });
}

void List(Cluster* cluster, const pb::ListResourceGroupsRequest&,
          rpc::Responder<pb::ListResourceGroupsResponse> responder) {
  Load(cluster, meta::KeyRange::Prefix(kSettings),
       [responder = std::move(responder)](Groups groups) mutable {
         if (!groups.ok()) return responder.Fail(groups.status());
         pb::ListResourceGroupsResponse r;
         bool has_default = false;
         for (auto& g : *groups) {
           has_default |= g.name() == "default";
           *r.add_groups() = std::move(g);
         }
         if (!has_default) *r.add_groups() = DefaultGroup();
         responder.Reply(r);
       });
}

template <class Response>
void Commit(Cluster* cluster, meta::Txn txn, absl::Status otherwise,
            rpc::Responder<Response> responder) {
  cluster->host().meta->Commit(std::move(txn), [otherwise, responder = std::move(responder)](
                                                   absl::StatusOr<meta::TxnResult> result) mutable {
    if (!result.ok()) return responder.Fail(result.status());
    if (!result->succeeded) return responder.Fail(otherwise);
    Response r;
    r.set_body("Success!");
    responder.Reply(r);
  });
}

absl::Status CheckGroup(const pb::ResourceGroup& g) {
  if (g.name().empty() || g.name().size() > kMaxNameBytes ||
      g.name().find('/') != std::string::npos) {
    return Unknown("invalid group name, the length should be in [1,32]");
  }
  if (g.priority() > 16) return Unknown("invalid group priority, the value should be in [0,16]");
  return absl::OkStatus();
}

void Add(Cluster* cluster, const pb::PutResourceGroupRequest& request,
         rpc::Responder<pb::PutResourceGroupResponse> responder) {
  if (absl::Status s = CheckGroup(request.group()); !s.ok()) return responder.Fail(s);
  const std::string key = kSettings + request.group().name();
  meta::Txn txn;
  txn.when = {meta::Compare::Missing(key)};
  txn.then = {meta::Op::Put(key, request.group().SerializeAsString())};
  Commit(cluster, std::move(txn),
         Unknown("resource group already exists, {}", request.group().name()),
         std::move(responder));
}

void Modify(Cluster* cluster, const pb::PutResourceGroupRequest& request,
            rpc::Responder<pb::PutResourceGroupResponse> responder) {
  if (absl::Status s = CheckGroup(request.group()); !s.ok()) return responder.Fail(s);
  const std::string key = kSettings + request.group().name();
  meta::Txn txn;
  if (request.group().name() != "default") txn.when = {meta::Compare::Exists(key)};
  txn.then = {meta::Op::Put(key, request.group().SerializeAsString())};
  Commit(cluster, std::move(txn), NoSuchGroup(request.group().name()), std::move(responder));
}

void Delete(Cluster* cluster, const pb::DeleteResourceGroupRequest& request,
            rpc::Responder<pb::DeleteResourceGroupResponse> responder) {
  if (request.resource_group_name() == "default") {
    return responder.Fail(
        Unknown("[PD:resourcemanager:ErrDeleteReservedGroup]cannot delete reserved group"));
  }
  const std::string key = kSettings + request.resource_group_name();
  meta::Txn txn;
  txn.when = {meta::Compare::Exists(key)};
  txn.then = {meta::Op::Delete(key)};
  Commit(cluster, std::move(txn), NoSuchGroup(request.resource_group_name()), std::move(responder));
}

// Grants what is asked for: nothing is throttled here.  Stays open, as TiKV demands.
class TokenStream : public rpc::StreamHandler {
 public:
  explicit TokenStream(rpc::ServerStream stream) : stream_(std::move(stream)) {}

  void OnMessage(std::string_view bytes) override {
    pb::TokenBucketsRequest request;
    absl::Status s = rpc::ParseMessage(bytes, std::string(kPath) + "AcquireTokenBuckets", &request);
    if (!s.ok()) return stream_.Finish(s);
    pb::TokenBucketsResponse r;
    for (const auto& ask : request.requests()) {
      auto* grant = r.add_responses();
      grant->set_resource_group_name(ask.resource_group_name());
      for (const auto& item : ask.ru_items().request_r_u()) {
        auto* tokens = grant->add_granted_r_u_tokens();
        tokens->set_type(item.type());
        tokens->mutable_granted_tokens()->set_tokens(item.value());
        tokens->mutable_granted_tokens()->mutable_settings()->set_burst_limit(-1);
      }
    }
    stream_.SendFramed(rpc::SerializeFramed(r));
  }
  void OnHalfClose() override { stream_.Finish(absl::OkStatus()); }
  void OnClosed(const absl::Status&) override {}

 private:
  rpc::ServerStream stream_;
};

template <class Request, class Response>
void Register(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server,
              const std::string& name,
              void (*handle)(Cluster*, const Request&, rpc::Responder<Response>)) {
  LeaderUnary<Request, Response>(
      cluster, forwarder, server, kPath + name,
      [cluster, handle](const Request& request, rpc::Responder<Response> responder) {
        handle(cluster, request, std::move(responder));
      });
}

}  // namespace

void RegisterResourceManager(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server) {
  Register<pb::ListResourceGroupsRequest, pb::ListResourceGroupsResponse>(
      cluster, forwarder, server, "ListResourceGroups", List);
  Register<pb::GetResourceGroupRequest, pb::GetResourceGroupResponse>(cluster, forwarder, server,
                                                                      "GetResourceGroup", Get);
  Register<pb::PutResourceGroupRequest, pb::PutResourceGroupResponse>(cluster, forwarder, server,
                                                                      "AddResourceGroup", Add);
  Register<pb::PutResourceGroupRequest, pb::PutResourceGroupResponse>(
      cluster, forwarder, server, "ModifyResourceGroup", Modify);
  Register<pb::DeleteResourceGroupRequest, pb::DeleteResourceGroupResponse>(
      cluster, forwarder, server, "DeleteResourceGroup", Delete);
  LeaderStream(cluster, forwarder, server, std::string(kPath) + "AcquireTokenBuckets",
               [](rpc::ServerStream s) -> std::unique_ptr<rpc::StreamHandler> {
                 return std::make_unique<TokenStream>(std::move(s));
               });
}

}  // namespace tikv::pd
