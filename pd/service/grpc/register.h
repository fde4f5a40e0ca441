// PD's gRPC services on one server.
#pragma once

#include <memory>

namespace tikv::rpc {
class ChannelPool;
class Server;
}  // namespace tikv::rpc

namespace tikv::pd {

class Cluster;

// Holds the services' state; must outlive the server.
class GrpcServices {
 public:
  virtual ~GrpcServices() = default;
};

// Registers pdpb.PD (all but Tso), keyspacepb.Keyspace, meta_storagepb.MetaStorage,
// resource_manager.ResourceManager and diagnosticspb.Diagnostics.  Before Server::Listen.
// `channels` reaches the other members.  Cluster and channels must outlive the result.
std::unique_ptr<GrpcServices> RegisterGrpcServices(Cluster* cluster, rpc::ChannelPool* channels,
                                                   rpc::Server* server);

}  // namespace tikv::pd
