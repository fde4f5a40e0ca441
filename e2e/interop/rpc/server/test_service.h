// grpc.testing.TestService and what the attack tests need, on lib/rpc.
#pragma once

#include <memory>

#include "lib/env/executor.h"
#include "lib/rpc/server.h"

namespace tikv::interop {

// Registers everything on `server`.  `timers` runs delayed responses; it must outlive the server.
void RegisterTestService(rpc::Server& server, Executor* timers);

}  // namespace tikv::interop
