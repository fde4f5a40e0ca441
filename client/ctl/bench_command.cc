#include "client/ctl/bench_command.h"

#include <sys/resource.h>

#include <condition_variable>
#include <nlohmann/json.hpp>

#include "client/ctl/latency.h"
#include "lib/base/status.h"
#include "lib/env/random.h"

namespace tikv::client {
namespace {

using Steady = std::chrono::steady_clock;

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string Micros(std::chrono::nanoseconds t) {
  return fmt::format("{:.0f} us", static_cast<double>(t.count()) / 1000);
}

// The virtual clients and what they saw.  All callbacks may run at once on several threads.
class Bench {
 public:
  Bench(RawClient* client, const BenchOptions& options)
      : client_(client), options_(options), value_(options.value_bytes, 'v') {
    for (uint32_t i = 0; i < options.clients; ++i) {
      loops_.push_back(std::make_unique<Loop>(i));
    }
  }

  absl::StatusOr<std::string> Run() {
    const double cpu = CpuSeconds();
    begin_ = Steady::now();
    end_ = begin_ + std::chrono::duration_cast<Steady::duration>(
                        std::chrono::duration<double>(options_.seconds));
    running_ = options_.clients;
    for (auto& loop : loops_) Next(loop.get());
    WaitAndShowProgress();
    return Report(CpuSeconds() - cpu);
  }

 private:
  // One virtual client; touched by one callback at a time.
  struct Loop {
    explicit Loop(uint32_t n) : random(n + 1, "bench") {}
    Random random;
    Latencies latencies;
    uint64_t errors = 0;
    absl::Status last_error;
    Steady::time_point sent;
  };

  void Next(Loop* loop) {
    loop->sent = Steady::now();
    if (loop->sent >= end_) return Leave();
    std::string key = fmt::format("bench/{:012}", loop->random.Uniform(options_.keys));
    const bool put =
        options_.operation == "put" || (options_.operation == "mixed" && loop->random.OneIn(2));
    if (put) {
      client_->PutAsync(std::move(key), value_, {},
                        [this, loop](const absl::Status& s) { Done(loop, s); });
    } else {
      client_->GetAsync(std::move(key), {},
                        [this, loop](const absl::StatusOr<std::optional<std::string>>& value) {
                          Done(loop, value.status());
                        });
    }
  }

  void Done(Loop* loop, const absl::Status& s) {
    if (s.ok()) {
      loop->latencies.Add(Steady::now() - loop->sent);
      finished_.fetch_add(1, std::memory_order_relaxed);
    } else {
      ++loop->errors;
      loop->last_error = s;
    }
    Next(loop);
  }

  void Leave() {
    std::lock_guard lock(mutex_);
    if (--running_ == 0) all_left_.notify_one();
  }

  void WaitAndShowProgress() {
    std::unique_lock lock(mutex_);
    uint64_t before = 0;
    while (!all_left_.wait_for(lock, std::chrono::seconds(1), [&] { return running_ == 0; })) {
      const uint64_t now = finished_.load(std::memory_order_relaxed);
      if (options_.progress) {
        fmt::print(stderr, "{:5.0f} s  {:9} operations/s\n",
                   std::chrono::duration<double>(Steady::now() - begin_).count(), now - before);
      }
      before = now;
    }
  }

  absl::StatusOr<std::string> Report(double cpu_seconds) const {
    Latencies all;
    uint64_t errors = 0;
    absl::Status last_error;
    for (const auto& loop : loops_) {
      all.Merge(loop->latencies);
      errors += loop->errors;
      if (!loop->last_error.ok()) last_error = loop->last_error;
    }
    if (all.count() == 0 && errors > 0) {
      return Annotate(last_error, fmt::format("all {} operations failed, the last", errors));
    }
    const double elapsed = std::chrono::duration<double>(Steady::now() - begin_).count();
    const double rate = static_cast<double>(all.count()) / elapsed;
    const double cpu_us =
        cpu_seconds * 1e6 / static_cast<double>(std::max<uint64_t>(all.count(), 1));
    if (options_.json) {
      const auto us = [&](double f) {
        return static_cast<double>(all.Percentile(f).count()) / 1e3;
      };
      return nlohmann::json({{"operation", options_.operation},
                             {"clients", options_.clients},
                             {"operations", all.count()},
                             {"errors", errors},
                             {"last_error", std::string(Message(last_error))},
                             {"ops_per_second", rate},
                             {"p50_us", us(.5)},
                             {"p99_us", us(.99)},
                             {"p999_us", us(.999)},
                             {"client_cpu_us_per_op", cpu_us}})
                 .dump() +
             "\n";
    }
    std::string text = fmt::format(
        "{} by {} clients: {} operations in {:.1f} s, {:.0f}/s\n"
        "latency p50 {}, p99 {}, p99.9 {}\n"
        "this loader used {:.2f} us of CPU per operation\n",
        options_.operation, options_.clients, all.count(), elapsed, rate,
        Micros(all.Percentile(.5)), Micros(all.Percentile(.99)), Micros(all.Percentile(.999)),
        cpu_us);
    if (errors > 0) text += fmt::format("{} errors, the last: {}\n", errors, Message(last_error));
    return text;
  }

  RawClient* client_;
  const BenchOptions options_;
  const std::string value_;
  std::vector<std::unique_ptr<Loop>> loops_;
  Steady::time_point begin_, end_;
  std::atomic<uint64_t> finished_{0};

  std::mutex mutex_;  // Guards running_.
  std::condition_variable all_left_;
  uint32_t running_ = 0;
};

}  // namespace

absl::StatusOr<std::string> RunBench(RawClient* client, const BenchOptions& options) {
  if (options.clients == 0 || options.keys == 0) {
    return InvalidArgument("--clients and --keys must be at least 1");
  }
  if (options.operation != "put" && options.operation != "get" && options.operation != "mixed") {
    return InvalidArgument("\"{}\" is no operation: put, get or mixed", options.operation);
  }
  return Bench(client, options).Run();
}

}  // namespace tikv::client
