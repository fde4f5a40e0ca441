// What the kernel knows about this process, under the names every Prometheus client library uses.
#pragma once

#include <string>
#include <string_view>

#include "lib/metrics/metrics.h"

namespace tikv::metrics {

// process_cpu_seconds_total, process_open_fds, process_max_fds, process_virtual_memory_bytes,
// process_resident_memory_bytes, process_start_time_seconds, process_threads.
void AddProcessMetrics(Registry* registry);

// tikv_thread_cpu_seconds_total{name}: CPU time by thread name (threads of one name added up),
// which TiKV's dashboards match with patterns such as "raftstore_.*".
void AddThreadMetrics(Registry* registry);

// One line of /proc/<pid>/stat or /proc/<pid>/task/<tid>/stat.
struct ProcStat {
  std::string name;        // May hold any character.
  uint64_t cpu_ticks = 0;  // User and system.
  uint64_t threads = 0;
  uint64_t start_ticks = 0;  // Since the machine started.
  uint64_t virtual_bytes = 0;
  uint64_t resident_pages = 0;
};

// False when the line is not of that form.
bool ParseProcStat(std::string_view line, ProcStat* stat);

}  // namespace tikv::metrics
