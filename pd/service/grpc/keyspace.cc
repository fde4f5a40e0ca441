#include "lib/base/status.h"
#include "pd/service/grpc/other_services.h"
#include "pd/service/grpc/pd_service.h"
#include "proto/keyspacepb.pb.h"

namespace tikv::pd {
namespace {

constexpr char kPath[] = "/keyspacepb.Keyspace/";

void FillDefault(Cluster* cluster, keyspacepb::KeyspaceMeta* out) {
  const int64_t since = cluster->With([](ClusterState& s) { return s.bootstrap_time_s; });
  out->set_name("DEFAULT");
  out->set_state(keyspacepb::ENABLED);
  out->set_created_at(since);
  out->set_state_changed_at(since);
}

// Header and common refusals; false when the reply has been sent.
template <class Request, class Response>
bool Admit(Cluster* cluster, const Request& request, rpc::Responder<Response>* responder,
           Response* reply) {
  const uint64_t id = cluster->cluster_id();
  if (absl::Status s = CheckClusterId(id, request.header().cluster_id()); !s.ok()) {
    responder->Fail(s);
    return false;
  }
  reply->mutable_header()->set_cluster_id(id);
  if (cluster->bootstrapped()) return true;
  auto* error = reply->mutable_header()->mutable_error();
  error->set_type(pdpb::NOT_BOOTSTRAPPED);
  error->set_message("cluster is not bootstrapped");
  responder->Reply(*reply);
  return false;
}

// Sends all keyspaces and stays open: there is never a change to tell.
class WatchStream : public rpc::StreamHandler {
 public:
  WatchStream(Cluster* cluster, rpc::ServerStream stream)
      : cluster_(cluster), stream_(std::move(stream)) {}
  void OnMessage(std::string_view bytes) override {
    keyspacepb::WatchKeyspacesRequest request;
    absl::Status s = rpc::ParseMessage(bytes, "/keyspacepb.Keyspace/WatchKeyspaces", &request);
    if (s.ok()) s = CheckClusterId(cluster_->cluster_id(), request.header().cluster_id());
    if (!s.ok()) return stream_.Finish(s);
    keyspacepb::WatchKeyspacesResponse r;
    r.mutable_header()->set_cluster_id(cluster_->cluster_id());
    if (cluster_->bootstrapped()) FillDefault(cluster_, r.add_keyspaces());
    stream_.SendFramed(rpc::SerializeFramed(r));
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override {}

 private:
  Cluster* cluster_;
  rpc::ServerStream stream_;
};

}  // namespace

void RegisterKeyspace(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server) {
  const std::string path = kPath;
  LeaderUnary<keyspacepb::LoadKeyspaceRequest, keyspacepb::LoadKeyspaceResponse>(
      cluster, forwarder, server, path + "LoadKeyspace",
      [cluster](const keyspacepb::LoadKeyspaceRequest& request, auto responder) {
        keyspacepb::LoadKeyspaceResponse r;
        if (!Admit(cluster, request, &responder, &r)) return;
        if (request.name() == "DEFAULT") {
          FillDefault(cluster, r.mutable_keyspace());
        } else {
          r.mutable_header()->mutable_error()->set_type(pdpb::ENTRY_NOT_FOUND);
          r.mutable_header()->mutable_error()->set_message("keyspace does not exist");
        }
        responder.Reply(r);
      });
  LeaderUnary<keyspacepb::GetAllKeyspacesRequest, keyspacepb::GetAllKeyspacesResponse>(
      cluster, forwarder, server, path + "GetAllKeyspaces",
      [cluster](const keyspacepb::GetAllKeyspacesRequest& request, auto responder) {
        keyspacepb::GetAllKeyspacesResponse r;
        if (!Admit(cluster, request, &responder, &r)) return;
        if (request.start_id() == 0) FillDefault(cluster, r.add_keyspaces());
        responder.Reply(r);
      });
  LeaderUnary<keyspacepb::UpdateKeyspaceStateRequest, keyspacepb::UpdateKeyspaceStateResponse>(
      cluster, forwarder, server, path + "UpdateKeyspaceState",
      [cluster](const keyspacepb::UpdateKeyspaceStateRequest& request, auto responder) {
        keyspacepb::UpdateKeyspaceStateResponse r;
        if (!Admit(cluster, request, &responder, &r)) return;
        auto* error = r.mutable_header()->mutable_error();
        error->set_type(request.id() == 0 ? pdpb::UNKNOWN : pdpb::ENTRY_NOT_FOUND);
        error->set_message(request.id() == 0 ? "cannot modify default keyspace's state"
                                             : "keyspace does not exist");
        responder.Reply(r);
      });
  LeaderStream(cluster, forwarder, server, path + "WatchKeyspaces",
               [cluster](rpc::ServerStream s) -> std::unique_ptr<rpc::StreamHandler> {
                 return std::make_unique<WatchStream>(cluster, std::move(s));
               });
}

void RegisterDiagnostics(rpc::Server* server) {
  server->RegisterUnary("/diagnosticspb.Diagnostics/server_info",
                        [](rpc::UnaryCall&, rpc::RawResponder responder) {
                          responder.Fail(Unimplemented("server_info is not supported"));
                        });
  server->RegisterStream(
      "/diagnosticspb.Diagnostics/search_log",
      [](rpc::ServerStream s, const rpc::CallContext&) -> std::unique_ptr<rpc::StreamHandler> {
        s.Finish(Unimplemented("search_log is not supported"));
        return nullptr;
      });
}

}  // namespace tikv::pd
