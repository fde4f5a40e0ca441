// ThreadSanitizer cannot see into gRPC's libraries: what they hand from one thread to another has
// to be told, and what it reports within them is noise.  Nothing in other builds.
#pragma once

#ifdef __SANITIZE_THREAD__
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace tikv::rpc {

// Before gRPC gets `tag`, and when it gives it back.
inline void HandToGrpc([[maybe_unused]] void* tag) {
#ifdef __SANITIZE_THREAD__
  __tsan_release(tag);
#endif
}
inline void TakeFromGrpc([[maybe_unused]] void* tag) {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(tag);
#endif
}

}  // namespace tikv::rpc
