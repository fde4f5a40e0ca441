// grpc.health.v1.Health, which PD's Go clients ask every second.
#pragma once

namespace tikv::rpc {
class Server;
}

namespace tikv::pd {

// SERVING for "", the server as a whole, as long as the process answers; other names are unknown.
void RegisterHealth(rpc::Server* server);

}  // namespace tikv::pd
