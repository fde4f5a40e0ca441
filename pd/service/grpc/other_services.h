// The small services beside pdpb.PD.
#pragma once

#include "lib/rpc/typed.h"
#include "pd/cluster/cluster.h"
#include "pd/service/grpc/forward.h"

namespace tikv::pd {

// keyspacepb.Keyspace: the DEFAULT keyspace, which every cluster has; others are not created here.
void RegisterKeyspace(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server);
// meta_storagepb.MetaStorage: a thin view of the metadata store.
void RegisterMetaStorage(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server);
// resource_manager.ResourceManager: groups are kept and listed; tokens are granted as asked for.
void RegisterResourceManager(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server);
// pdpb.PD's Store-, Load- and WatchGlobalConfig: settings below /global/config/ that programs
// share.
void RegisterGlobalConfig(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server);
// diagnosticspb.Diagnostics: Unimplemented, by name.
void RegisterDiagnostics(rpc::Server* server);

// A unary method that only the leader serves, or that is forwarded.
template <class Request, class Response, class Handler>
void LeaderUnary(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server,
                 const std::string& path, Handler handler) {
  server->RegisterUnary(path, [=](rpc::UnaryCall& call, rpc::RawResponder responder) {
    auto target = forwarder->Target(call.context());
    if (!target.ok()) return responder.Fail(target.status());
    if (*target) return forwarder->Unary(**target, call.TakeRequest(), std::move(responder));
    if (!cluster->serving()) return responder.Fail(absl::UnavailableError("not leader"));
    Request request;
    if (absl::Status s = rpc::ParseMessage(call.request(), path, &request); !s.ok()) {
      return responder.Fail(std::move(s));
    }
    handler(request, rpc::Responder<Response>(std::move(responder)));
  });
}

// A stream that only the leader serves, or that is forwarded.  `make`: the handler, or null after
// Finish.
template <class Make>
void LeaderStream(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server,
                  const std::string& path, Make make) {
  using Handler = std::unique_ptr<rpc::StreamHandler>;
  server->RegisterStream(
      path, [=](rpc::ServerStream s, const rpc::CallContext& context) -> Handler {
        auto target = forwarder->Target(context);
        if (target.ok() && *target) return forwarder->Stream(**target, std::move(s));
        if (target.ok() && cluster->serving()) return make(std::move(s));
        s.Finish(target.ok() ? absl::UnavailableError("not leader") : target.status());
        return nullptr;
      });
}

}  // namespace tikv::pd
