// Heap profiles, where the program runs on tcmalloc.
#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace tikv::server {

// From now on one allocation per half a MiB remembers its stack.
void StartHeapSampling();

// What is allocated and was sampled, for pprof.  Unimplemented without tcmalloc (sanitizers bring
// allocators of their own).
absl::StatusOr<std::string> HeapProfile();

// What the allocator keeps for later goes back to the system.
void ReleaseFreeMemory();

}  // namespace tikv::server
