// A CPU profile of this process, by the kernel's profiling timer.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tikv::server {

// One per process, since the profiling timer is.  Start and Finish from one thread at a time; the
// samples are taken on whatever thread is running.  The result is pprof's "legacy CPU profile"
// (https://gperftools.github.io/gperftools/cpuprofile-fileformat.html): program counters and the
// memory map, which `go tool pprof tikv-server profile` turns into names.
class CpuProfiler {
 public:
  CpuProfiler();
  ~CpuProfiler();
  CpuProfiler(const CpuProfiler&) = delete;
  CpuProfiler& operator=(const CpuProfiler&) = delete;

  // Unavailable while a profile runs.
  absl::Status Start(int hertz);
  std::string Finish();

 private:
  static constexpr int kDepth = 62;
  static constexpr size_t kSamples = 32'768;  // Enough for 300 s of 100 Hz on one busy core.
  struct Sample {
    uintptr_t depth = 0;
    void* frames[kDepth];
  };

  static void OnSignal(int);
  void SetTimer(int hertz) const;

  std::unique_ptr<Sample[]> samples_;  // Allocated while a profile runs.
  std::atomic<size_t> taken_{0};
  int hertz_ = 0;
};

}  // namespace tikv::server
