#include "pd/service/etcd/register.h"

#include <nlohmann/json.hpp>

#include "pd/service/etcd/context.h"

namespace tikv::pd::etcd {
namespace {

class Services : public EtcdServices {
 public:
  EtcdContext context;
};

void RegisterProbes(EtcdContext* context, http::Router& router) {
  router.Handle("GET", "/version", [context](http::Request, http::Responder responder) {
    const std::string minor = context->version.substr(0, context->version.rfind('.')) + ".0";
    const nlohmann::json body = {{"etcdserver", context->version}, {"etcdcluster", minor}};
    responder.Send(http::Response::Json(200, body.dump()));
  });
  router.Handle("GET", "/health", [context](http::Request, http::Responder responder) {
    const auto& view = context->store->replica().view();
    nlohmann::json body = {{"health", "true"}, {"reason", ""}};
    if (view.leader == 0) body = {{"health", "false"}, {"reason", "RAFT NO LEADER"}};
    if (view.no_space) body = {{"health", "false"}, {"reason", "ALARM NOSPACE"}};
    responder.Send(http::Response::Json(body["health"] == "true" ? 200 : 503, body.dump()));
  });
}

}  // namespace

std::unique_ptr<EtcdServices> RegisterEtcdServices(const EtcdOptions& options, rpc::Server* server,
                                                   http::Router* router) {
  auto services = std::make_unique<Services>();
  EtcdContext* context = &services->context;
  context->store = options.store;
  context->strand = options.strand;
  context->pool = options.pool;
  context->version = options.version;
  context->random = std::make_unique<Random>(options.seed, "etcd-ids");
  RegisterKv(context, *server, *router);
  RegisterWatch(context, *server, options.watch_strand);
  RegisterLease(context, *server, *router);
  RegisterCluster(context, *server, *router);
  RegisterMaintenance(context, *server, *router);
  RegisterAuth(context, *server, *router);
  RegisterElection(context, *server);
  RegisterLock(context, *server);
  RegisterProbes(context, *router);
  return services;
}

}  // namespace tikv::pd::etcd
