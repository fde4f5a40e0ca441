#include "server/node/cpu_profiler.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace tikv::server {
namespace {

// Where the signal handler finds the running profile: a handler has no other way to get at state.
std::atomic<CpuProfiler*> active_profiler{nullptr};
std::atomic<int> handlers_running{0};

void AppendWord(uintptr_t word, std::string* out) {
  out->append(reinterpret_cast<const char*>(&word), sizeof(word));
}

}  // namespace

CpuProfiler::CpuProfiler() {
  // The first backtrace loads a library, which a signal handler must not do.
  void* frame[1];
  (void)backtrace(frame, 1);
}

CpuProfiler::~CpuProfiler() {
  if (hertz_ != 0) (void)Finish();
}

void CpuProfiler::OnSignal(int) {
  const int saved_errno = errno;
  handlers_running.fetch_add(1);
  if (CpuProfiler* profiler = active_profiler.load(); profiler != nullptr) {
    const size_t slot = profiler->taken_.fetch_add(1);
    if (slot < kSamples) {
      Sample& sample = profiler->samples_[slot];
      sample.depth = static_cast<uintptr_t>(backtrace(sample.frames, kDepth));
    }
  }
  handlers_running.fetch_sub(1);
  errno = saved_errno;
}

void CpuProfiler::SetTimer(int hertz) const {
  itimerval timer{};
  constexpr int kMicros = 1'000'000;
  if (hertz == 1) timer.it_interval.tv_sec = 1;  // As microseconds it would be refused.
  if (hertz > 1) timer.it_interval.tv_usec = kMicros / hertz;
  timer.it_value = timer.it_interval;
  CHECK_EQ(setitimer(ITIMER_PROF, &timer, nullptr), 0);
}

absl::Status CpuProfiler::Start(int hertz) {
  if (hertz_ != 0) return Unavailable("a CPU profile is being taken already");
  samples_ = std::make_unique<Sample[]>(kSamples);
  taken_ = 0;
  hertz_ = hertz;
  struct sigaction action {};
  action.sa_handler = &OnSignal;
  action.sa_flags = SA_RESTART;
  CHECK_EQ(sigaction(SIGPROF, &action, nullptr), 0);
  active_profiler = this;
  SetTimer(hertz);
  return absl::OkStatus();
}

std::string CpuProfiler::Finish() {
  SetTimer(0);
  active_profiler = nullptr;
  while (handlers_running.load() != 0) {
  }
  const uintptr_t period_us = 1'000'000 / static_cast<uintptr_t>(std::exchange(hertz_, 0));
  std::string out;
  for (uintptr_t word : {uintptr_t{0}, uintptr_t{3}, uintptr_t{0}, period_us, uintptr_t{0}}) {
    AppendWord(word, &out);
  }
  constexpr uintptr_t kHandlerFrames = 2;  // OnSignal and the kernel's trampoline.
  for (size_t i = 0; i < std::min(taken_.load(), kSamples); ++i) {
    const Sample& sample = samples_[i];
    if (sample.depth <= kHandlerFrames) continue;
    AppendWord(1, &out);
    AppendWord(sample.depth - kHandlerFrames, &out);
    for (uintptr_t f = kHandlerFrames; f < sample.depth; ++f) {
      AppendWord(reinterpret_cast<uintptr_t>(sample.frames[f]), &out);
    }
  }
  for (uintptr_t word : {uintptr_t{0}, uintptr_t{1}, uintptr_t{0}}) AppendWord(word, &out);
  samples_.reset();
  std::ostringstream maps;
  maps << std::ifstream("/proc/self/maps").rdbuf();
  return out + maps.str();
}

}  // namespace tikv::server
