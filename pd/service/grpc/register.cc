#include "pd/service/grpc/register.h"

#include "pd/service/grpc/other_services.h"
#include "pd/service/grpc/pd_service.h"

namespace tikv::pd {
namespace {

class Services : public GrpcServices {
 public:
  Services(Cluster* cluster, rpc::ChannelPool* channels, rpc::Server* server)
      : forwarder_(cluster->host().meta, channels), pd_(cluster, &forwarder_) {
    pd_.Register(server);
    RegisterKeyspace(cluster, &forwarder_, server);
    RegisterGlobalConfig(cluster, &forwarder_, server);
    RegisterMetaStorage(cluster, &forwarder_, server);
    RegisterResourceManager(cluster, &forwarder_, server);
    RegisterDiagnostics(server);
  }

 private:
  Forwarder forwarder_;
  PdService pd_;
};

}  // namespace

std::unique_ptr<GrpcServices> RegisterGrpcServices(Cluster* cluster, rpc::ChannelPool* channels,
                                                   rpc::Server* server) {
  return std::make_unique<Services>(cluster, channels, server);
}

}  // namespace tikv::pd
