// pdpb.PD/Tso: timestamps by stream.
#pragma once

#include <memory>

namespace tikv::metrics {
class Registry;
}
namespace tikv::rpc {
class ChannelPool;
class Server;
}  // namespace tikv::rpc

namespace tikv::pd {

struct Host;

// Holds the service's state; must outlive the server.
class TsoService {
 public:
  virtual ~TsoService() = default;
};

// Before Server::Listen; everything passed in must outlive the result.
std::unique_ptr<TsoService> RegisterTsoService(const Host* host, rpc::ChannelPool* channels,
                                               metrics::Registry* registry, rpc::Server* server);

}  // namespace tikv::pd
