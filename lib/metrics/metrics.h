// What a program counts, for Prometheus.  Handles are obtained once and kept; using one costs a
// relaxed atomic addition and never takes a lock.
//
//   Counter& requests = registry.AddCounterFamily("x_total", "Calls.", {"type"}).With({"get"});
//   requests.Add();
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tikv::metrics {

// Grows only.  Thread-safe.
class alignas(64) Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// Goes up and down.  Thread-safe.
class alignas(64) Gauge {
 public:
  void Set(double v) { value_.store(v, std::memory_order_relaxed); }
  void Add(double v) { value_.fetch_add(v, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

// Counts observations by size.  Thread-safe; a reader may see an observation in the buckets a
// moment before it is in the sum.
class alignas(64) Histogram {
 public:
  // `bounds`: inclusive upper bounds, ascending; a last bucket without bound is added.
  explicit Histogram(std::vector<double> bounds);

  void Observe(double v);

  struct Snapshot {
    std::vector<uint64_t> counts;  // Per bucket, not cumulative; one more than there are bounds.
    double sum = 0;
    uint64_t count = 0;
  };
  Snapshot Read() const;
  const std::vector<double>& bounds() const { return bounds_; }

 private:
  const std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_ = 0;
};

// {start, start * factor, ...}: `count` of them.
std::vector<double> ExponentialBounds(double start, double factor, int count);

// One metric name with one member per combination of label values.  Thread-safe.
template <class M>
class Family {
 public:
  using Make = std::function<std::unique_ptr<M>()>;
  Family(std::vector<std::string> label_names, Make make)
      : label_names_(std::move(label_names)), make_(std::move(make)) {}

  // The member with these label values, in the order of the names; made at first use, and valid
  // until removed or the registry ends.  Takes a lock: keep the reference.
  M& With(std::initializer_list<std::string_view> label_values);
  // Drops members whose reference nobody uses any more, such as those of a removed store.
  void Remove(std::initializer_list<std::string_view> label_values);

  const std::vector<std::string>& label_names() const { return label_names_; }
  void ForEach(const std::function<void(const std::vector<std::string>&, const M&)>& f) const;

 private:
  const std::vector<std::string> label_names_;
  const Make make_;
  mutable std::mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<M>> members_;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// Receives values that are computed when somebody looks, such as RocksDB's statistics.
class Samples {
 public:
  virtual ~Samples() = default;
  virtual void AddCounter(const std::string& name, const std::string& help, Labels labels,
                          double value) = 0;
  virtual void AddGauge(const std::string& name, const std::string& help, Labels labels,
                        double value) = 0;
};

// All metrics of one program (or simulated node).  Thread-safe.  What it hands out lives as long as
// itself.  Asking for a name again returns the same thing; asking for it with another type or other
// labels is a broken invariant.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& AddCounter(const std::string& name, const std::string& help);
  Gauge& AddGauge(const std::string& name, const std::string& help);
  Histogram& AddHistogram(const std::string& name, const std::string& help,
                          std::vector<double> bounds);
  Family<Counter>& AddCounterFamily(const std::string& name, const std::string& help,
                                    std::vector<std::string> label_names);
  Family<Gauge>& AddGaugeFamily(const std::string& name, const std::string& help,
                                std::vector<std::string> label_names);
  Family<Histogram>& AddHistogramFamily(const std::string& name, const std::string& help,
                                        std::vector<std::string> label_names,
                                        std::vector<double> bounds);

  // `collect` is called, one call at a time, whenever Text() is; whatever it refers to must outlive
  // the registry or the returned id must be given to RemoveCollector first.
  using Collect = std::function<void(Samples*)>;
  uint64_t AddCollector(Collect collect);
  // On return `collect` is not running and will not be called any more.
  void RemoveCollector(uint64_t id);

  // The exposition format that GET /metrics answers with.
  std::string Text() const;

 private:
  struct Entry;
  Entry& Find(const std::string& name, const std::string& help,
              const std::function<void(Entry*)>& fill);

  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  mutable std::mutex collectors_mutex_;
  std::map<uint64_t, Collect> collectors_;
  uint64_t next_collector_ = 1;
};

}  // namespace tikv::metrics
