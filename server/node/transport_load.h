// How busy the RPC threads are, as clients are told (transport_layer_load).
#pragma once

#include <cstdint>
#include <string>

#include "lib/env/clock.h"
#include "lib/env/file_system.h"

namespace tikv::server {

// One thread at a time.  The ports must outlive it.
class TransportLoad {
 public:
  // `thread_prefix`: the threads that count, by name.
  TransportLoad(FileSystem* files, Clock* clock, std::string thread_prefix);

  // CPU time of those threads since the last call, in percent of one core.
  uint64_t Sample();

 private:
  uint64_t CpuTicks() const;

  FileSystem* const files_;
  Clock* const clock_;
  const std::string thread_prefix_;
  const uint64_t ticks_per_second_;
  MonotonicTime last_time_;
  uint64_t last_ticks_;
};

}  // namespace tikv::server
