// Metadata of a call: what gRPC sends as HTTP/2 headers and trailers.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace tikv::rpc {

// Keys are lower case; a key may repeat.  Values of keys ending in "-bin" are raw bytes here and
// base64 on the wire.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Deadlines use the clock that the event loops and gRPC C++ use themselves.
using SteadyTime = std::chrono::steady_clock::time_point;

}  // namespace tikv::rpc
