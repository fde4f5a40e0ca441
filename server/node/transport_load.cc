#include "server/node/transport_load.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "lib/metrics/process.h"

namespace tikv::server {
namespace {

constexpr const char* kTasks = "/proc/self/task";

}  // namespace

TransportLoad::TransportLoad(FileSystem* files, Clock* clock, std::string thread_prefix)
    : files_(files),
      clock_(clock),
      thread_prefix_(std::move(thread_prefix)),
      ticks_per_second_(static_cast<uint64_t>(sysconf(_SC_CLK_TCK))),
      last_time_(clock->Now()),
      last_ticks_(CpuTicks()) {}

uint64_t TransportLoad::Sample() {
  const MonotonicTime now = clock_->Now();
  const double seconds = std::chrono::duration<double>(now - last_time_).count();
  if (seconds < 0.01) return 0;
  const uint64_t ticks = CpuTicks();
  const uint64_t used = ticks - std::min(ticks, last_ticks_);
  last_time_ = now;
  last_ticks_ = ticks;
  return static_cast<uint64_t>(100.0 * static_cast<double>(used) /
                               static_cast<double>(ticks_per_second_) / seconds);
}

uint64_t TransportLoad::CpuTicks() const {
  uint64_t total = 0;
  const auto tasks = files_->List(kTasks);
  if (!tasks.ok()) return 0;
  for (const std::string& task : *tasks) {
    const auto file = files_->Open(JoinPath(JoinPath(kTasks, task), "stat"), OpenOptions::Read());
    if (!file.ok()) continue;  // The thread ended.
    std::array<char, 1024> line;
    const absl::StatusOr<size_t> n = (*file)->ReadAt(0, line.data(), line.size());
    metrics::ProcStat stat;
    if (!n.ok() || !metrics::ParseProcStat({line.data(), *n}, &stat)) continue;
    if (stat.name.rfind(thread_prefix_, 0) == 0) total += stat.cpu_ticks;
  }
  return total;
}

}  // namespace tikv::server
