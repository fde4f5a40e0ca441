// `tikv-ctl bench`: a loader that costs little CPU itself.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "client/raw_client.h"

namespace tikv::client {

// What load to make, and for how long.
struct BenchOptions {
  std::string operation = "put";  // put, get or mixed (half and half)
  uint32_t clients = 64;          // Requests under way at a time.
  uint64_t keys = 100'000;        // Keys drawn from, uniformly.
  uint32_t value_bytes = 1024;
  double seconds = 10;
  bool json = false;
  bool progress = true;  // A line a second on stderr.
};

// Each client sends its next request from the callback of the last one: no thread per client, and
// requests that come together leave in one message.  Returns the report to print; errors of single
// requests are counted in it.  An error when every request failed.
absl::StatusOr<std::string> RunBench(RawClient* client, const BenchOptions& options);

}  // namespace tikv::client
