#include "lib/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "lib/metrics/process.h"

namespace tikv::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// The value after "name " in the text, NaN when there is none.
double ValueOf(const std::string& text, const std::string& name) {
  const size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? NAN : std::stod(text.substr(at + name.size() + 2));
}

TEST(MetricsTest, CountersAndGauges) {
  Registry registry;
  Counter& counter = registry.AddCounter("calls_total", "Calls.");
  Gauge& gauge = registry.AddGauge("peers", "Peers.");
  counter.Add();
  counter.Add(2);
  gauge.Set(5);
  gauge.Add(-1.5);
  EXPECT_EQ(registry.Text(),
            "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total 3\n"
            "# HELP peers Peers.\n# TYPE peers gauge\npeers 3.5\n");
}

TEST(MetricsTest, LabelledFamilies) {
  Registry registry;
  auto& family = registry.AddCounterFamily("grpc_total", "Calls.", {"type", "result"});
  Counter& get = family.With({"get", "ok"});
  get.Add(7);
  family.With({"put", "a\"b\nc"}).Add();
  EXPECT_EQ(&get, &family.With({"get", "ok"}));
  EXPECT_THAT(registry.Text(), HasSubstr("grpc_total{type=\"get\",result=\"ok\"} 7\n"));
  EXPECT_THAT(registry.Text(), HasSubstr("grpc_total{type=\"put\",result=\"a\\\"b\\nc\"} 1\n"));
  family.Remove({"get", "ok"});
  EXPECT_THAT(registry.Text(), Not(HasSubstr("\"get\"")));
}

TEST(MetricsTest, HistogramsCountByInclusiveUpperBound) {
  Registry registry;
  Histogram& h = registry.AddHistogram("seconds", "Time.", {0.5, 1, 2});
  for (const double v : {0.1, 0.5, 0.75, 2.0, 3.0}) h.Observe(v);
  EXPECT_THAT(h.Read().counts, ElementsAre(2, 1, 1, 1));
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("# TYPE seconds histogram\n"));
  EXPECT_EQ(ValueOf(text, "seconds_bucket{le=\"0.5\"}"), 2);
  EXPECT_EQ(ValueOf(text, "seconds_bucket{le=\"1\"}"), 3);
  EXPECT_EQ(ValueOf(text, "seconds_bucket{le=\"2\"}"), 4);
  EXPECT_EQ(ValueOf(text, "seconds_bucket{le=\"+Inf\"}"), 5);
  EXPECT_EQ(ValueOf(text, "seconds_count"), 5);
  EXPECT_EQ(ValueOf(text, "seconds_sum"), 6.35);
}

TEST(MetricsTest, ExponentialBoundsGrowByTheFactor) {
  EXPECT_THAT(ExponentialBounds(1, 2, 4), ElementsAre(1, 2, 4, 8));
}

TEST(MetricsTest, TheSameNameIsTheSameMetric) {
  Registry registry;
  EXPECT_EQ(&registry.AddCounter("a", "A."), &registry.AddCounter("a", "A."));
  EXPECT_DEATH(registry.AddGauge("a", "A."), "another type");
  EXPECT_DEATH(registry.AddCounterFamily("a", "A.", {"x"}), "other labels");
}

TEST(MetricsTest, ThreadsAddUp) {
  Registry registry;
  Counter& counter = registry.AddCounter("n", "N.");
  Histogram& histogram = registry.AddHistogram("h", "H.", ExponentialBounds(1, 2, 10));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        counter.Add();
        histogram.Observe(3);
      }
    });
  }
  for (int i = 0; i < 20; ++i) registry.Text();  // Readers meet writers.
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'000u);
  EXPECT_EQ(histogram.Read().count, 40'000u);
  EXPECT_EQ(histogram.Read().sum, 120'000);
}

TEST(MetricsTest, CollectorsAreAskedAtEachText) {
  Registry registry;
  int asked = 0;
  const uint64_t id = registry.AddCollector([&](Samples* samples) {
    ++asked;
    samples->AddGauge("size", "Size.", {{"cf", "default"}}, 10 * asked);
    samples->AddGauge("size", "Size.", {{"cf", "lock"}}, asked);
  });
  EXPECT_EQ(registry.Text(),
            "# HELP size Size.\n# TYPE size gauge\nsize{cf=\"default\"} 10\nsize{cf=\"lock\"} 1\n");
  EXPECT_THAT(registry.Text(), HasSubstr("size{cf=\"default\"} 20\n"));
  registry.RemoveCollector(id);
  EXPECT_EQ(registry.Text(), "");
}

TEST(ProcessTest, StatLinesWithOddNames) {
  ProcStat stat;
  ASSERT_TRUE(ParseProcStat(
      "12 (a) b (c)) S 1 1 1 0 -1 4194304 100 0 0 0 70 30 0 0 20 0 5 0 999 4096000 250 1 2 3\n",
      &stat));
  EXPECT_EQ(stat.name, "a) b (c)");
  EXPECT_EQ(stat.cpu_ticks, 100u);
  EXPECT_EQ(stat.threads, 5u);
  EXPECT_EQ(stat.start_ticks, 999u);
  EXPECT_EQ(stat.virtual_bytes, 4096000u);
  EXPECT_EQ(stat.resident_pages, 250u);
  EXPECT_FALSE(ParseProcStat("", &stat));
  EXPECT_FALSE(ParseProcStat("12 (x) S 1 2", &stat));
}

TEST(ProcessTest, ThisProcessIsMeasured) {
  Registry registry;
  AddProcessMetrics(&registry);
  AddThreadMetrics(&registry);
  const std::string text = "\n" + registry.Text();
  EXPECT_GE(ValueOf(text, "process_cpu_seconds_total"), 0);
  EXPECT_GT(ValueOf(text, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(ValueOf(text, "process_virtual_memory_bytes"), 1e6);
  EXPECT_GE(ValueOf(text, "process_open_fds"), 3);
  EXPECT_GT(ValueOf(text, "process_max_fds"), 3);
  EXPECT_GE(ValueOf(text, "process_threads"), 1);
  EXPECT_NEAR(ValueOf(text, "process_start_time_seconds"), static_cast<double>(time(nullptr)), 600);
  EXPECT_THAT(text, HasSubstr("tikv_thread_cpu_seconds_total{name=\"lib_metrics_tes\"} "));
}

}  // namespace
}  // namespace tikv::metrics
