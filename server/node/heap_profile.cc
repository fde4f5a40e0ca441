#include "server/node/heap_profile.h"

#include <cstdint>

#include "lib/base/status.h"

#ifdef TIKV_TCMALLOC
#include <gperftools/malloc_extension.h>

// tcmalloc's setting, as the DECLARE_int64 of gflags would declare it.  Its environment variable is
// read before main, too early for a program to set.
namespace FLAG__namespace_do_not_use_directly_use_DECLARE_int64_instead {
extern int64_t FLAGS_tcmalloc_sample_parameter;
}
#endif

namespace tikv::server {

#ifdef TIKV_TCMALLOC

void StartHeapSampling() {
  FLAG__namespace_do_not_use_directly_use_DECLARE_int64_instead::FLAGS_tcmalloc_sample_parameter =
      512 << 10;
}

absl::StatusOr<std::string> HeapProfile() {
  MallocExtensionWriter text;
  MallocExtension::instance()->GetHeapSample(&text);
  return text;
}

void ReleaseFreeMemory() { MallocExtension::instance()->ReleaseFreeMemory(); }

#else

void StartHeapSampling() {}

absl::StatusOr<std::string> HeapProfile() {
  return Unimplemented("this build's allocator takes no heap profiles");
}

void ReleaseFreeMemory() {}

#endif

}  // namespace tikv::server
