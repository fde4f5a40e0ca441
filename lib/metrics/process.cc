#include "lib/metrics/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <memory>

namespace tikv::metrics {
namespace {

struct CloseFile {
  void operator()(FILE* f) const { fclose(f); }
};
struct CloseDir {
  void operator()(DIR* d) const { closedir(d); }
};

// Files of /proc tell no size, so they are read to their end; beyond 64 KiB nothing is of interest.
std::string ReadProc(const std::string& path) {
  const std::unique_ptr<FILE, CloseFile> file(fopen(path.c_str(), "re"));
  if (file == nullptr) return {};
  std::string text(64 << 10, '\0');
  text.resize(fread(text.data(), 1, text.size(), file.get()));
  return text;
}

template <class F>
void ForEachEntry(const char* dir, F f) {
  const std::unique_ptr<DIR, CloseDir> entries(opendir(dir));
  if (entries == nullptr) return;
  while (const dirent* entry = readdir(entries.get())) {
    if (entry->d_name[0] != '.') f(std::string(entry->d_name));
  }
}

double TickSeconds() { return 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK)); }

// When the machine started, in seconds since the epoch.
double BootTime() {
  const std::string stat = ReadProc("/proc/stat");
  const size_t at = stat.find("\nbtime ");
  uint64_t seconds = 0;
  if (at != std::string::npos) {
    std::from_chars(stat.data() + at + 7, stat.data() + stat.size(), seconds);
  }
  return static_cast<double>(seconds);
}

void CollectProcess(double boot_time, Samples* samples) {
  ProcStat stat;
  if (ParseProcStat(ReadProc("/proc/self/stat"), &stat)) {
    samples->AddCounter("process_cpu_seconds_total", "CPU time spent, user and system.", {},
                        static_cast<double>(stat.cpu_ticks) * TickSeconds());
    samples->AddGauge("process_threads", "Threads.", {}, static_cast<double>(stat.threads));
    samples->AddGauge("process_virtual_memory_bytes", "Virtual memory.", {},
                      static_cast<double>(stat.virtual_bytes));
    samples->AddGauge(
        "process_resident_memory_bytes", "Resident memory.", {},
        static_cast<double>(stat.resident_pages) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    samples->AddGauge("process_start_time_seconds", "Start, in seconds since the epoch.", {},
                      boot_time + static_cast<double>(stat.start_ticks) * TickSeconds());
  }
  double open_fds = 0;
  ForEachEntry("/proc/self/fd", [&](const std::string&) { ++open_fds; });
  samples->AddGauge("process_open_fds", "Open file descriptors.", {}, open_fds);
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    samples->AddGauge("process_max_fds", "Limit of open file descriptors.", {},
                      static_cast<double>(limit.rlim_cur));
  }
}

void CollectThreads(Samples* samples) {
  std::map<std::string, uint64_t> ticks;
  ForEachEntry("/proc/self/task", [&](const std::string& tid) {
    ProcStat stat;
    if (ParseProcStat(ReadProc("/proc/self/task/" + tid + "/stat"), &stat)) {
      ticks[stat.name] += stat.cpu_ticks;
    }
  });
  for (const auto& [name, n] : ticks) {
    samples->AddCounter("tikv_thread_cpu_seconds_total", "CPU time by thread name.",
                        {{"name", name}}, static_cast<double>(n) * TickSeconds());
  }
}

}  // namespace

bool ParseProcStat(std::string_view line, ProcStat* stat) {
  // The name is in parentheses and may contain some itself: the last one closes it.
  const size_t open = line.find('(');
  const size_t close = line.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return false;
  }
  stat->name = line.substr(open + 1, close - open - 1);
  line.remove_prefix(close + 1);
  uint64_t utime = 0;
  uint64_t stime = 0;
  const auto field = [&](int number) -> uint64_t* {  // Numbers as in proc(5).
    switch (number) {
      case 14:
        return &utime;
      case 15:
        return &stime;
      case 20:
        return &stat->threads;
      case 22:
        return &stat->start_ticks;
      case 23:
        return &stat->virtual_bytes;
      case 24:
        return &stat->resident_pages;
      default:
        return nullptr;
    }
  };
  for (int number = 3; number <= 24; ++number) {
    const size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) return false;
    line.remove_prefix(begin);
    const std::string_view word = line.substr(0, line.find(' '));
    if (uint64_t* value = field(number)) {
      if (std::from_chars(word.data(), word.data() + word.size(), *value).ec != std::errc()) {
        return false;
      }
    }
    line.remove_prefix(word.size());
  }
  stat->cpu_ticks = utime + stime;
  return true;
}

void AddProcessMetrics(Registry* registry) {
  registry->AddCollector(
      [boot_time = BootTime()](Samples* samples) { CollectProcess(boot_time, samples); });
}

void AddThreadMetrics(Registry* registry) { registry->AddCollector(&CollectThreads); }

}  // namespace tikv::metrics
