#include "lib/metrics/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <variant>

#include "lib/base/check.h"

namespace tikv::metrics {

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(new std::atomic<uint64_t>[bounds_.size() + 1] {}) {
  CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::Observe(double v) {
  const size_t bucket =
      static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), v) - bounds_.begin());
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(v, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::Read() const {
  Snapshot s;
  s.counts.resize(bounds_.size() + 1);
  for (size_t i = 0; i < s.counts.size(); ++i) {
    s.counts[i] = counts_[i].load(std::memory_order_relaxed);
    s.count += s.counts[i];
  }
  s.sum = sum_.load(std::memory_order_relaxed);
  return s;
}

std::vector<double> ExponentialBounds(double start, double factor, int count) {
  std::vector<double> bounds;
  for (double bound = start; count > 0; --count, bound *= factor) bounds.push_back(bound);
  return bounds;
}

template <class M>
M& Family<M>::With(std::initializer_list<std::string_view> label_values) {
  CHECK_EQ(label_values.size(), label_names_.size());
  std::vector<std::string> key(label_values.begin(), label_values.end());
  std::lock_guard lock(mutex_);
  std::unique_ptr<M>& member = members_[std::move(key)];
  if (member == nullptr) member = make_();
  return *member;
}

template <class M>
void Family<M>::Remove(std::initializer_list<std::string_view> label_values) {
  std::lock_guard lock(mutex_);
  members_.erase(std::vector<std::string>(label_values.begin(), label_values.end()));
}

template <class M>
void Family<M>::ForEach(
    const std::function<void(const std::vector<std::string>&, const M&)>& f) const {
  std::lock_guard lock(mutex_);
  for (const auto& [labels, member] : members_) f(labels, *member);
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

void Fill(const Counter& counter, ClientMetric* out) {
  out->counter.value = static_cast<double>(counter.value());
}

void Fill(const Gauge& gauge, ClientMetric* out) { out->gauge.value = gauge.value(); }

void Fill(const Histogram& histogram, ClientMetric* out) {
  const Histogram::Snapshot s = histogram.Read();
  uint64_t cumulative = 0;
  for (size_t i = 0; i < s.counts.size(); ++i) {
    cumulative += s.counts[i];
    const bool last = i == histogram.bounds().size();
    out->histogram.bucket.push_back(
        {cumulative, last ? std::numeric_limits<double>::infinity() : histogram.bounds()[i]});
  }
  out->histogram.sample_count = s.count;
  out->histogram.sample_sum = s.sum;
}

constexpr MetricType TypeOf(const Family<Counter>&) { return MetricType::Counter; }
constexpr MetricType TypeOf(const Family<Gauge>&) { return MetricType::Gauge; }
constexpr MetricType TypeOf(const Family<Histogram>&) { return MetricType::Histogram; }

template <class M>
void Export(const Family<M>& family, MetricFamily* out) {
  out->type = TypeOf(family);
  family.ForEach([&](const std::vector<std::string>& values, const M& member) {
    ClientMetric metric;
    for (size_t i = 0; i < values.size(); ++i) {
      metric.label.push_back({family.label_names()[i], values[i]});
    }
    Fill(member, &metric);
    out->metric.push_back(std::move(metric));
  });
}

// Groups what collectors report by name, as the format wants it.
class Gathered : public Samples {
 public:
  void AddCounter(const std::string& name, const std::string& help, Labels labels,
                  double value) override {
    Add(name, help, MetricType::Counter, std::move(labels)).counter.value = value;
  }
  void AddGauge(const std::string& name, const std::string& help, Labels labels,
                double value) override {
    Add(name, help, MetricType::Gauge, std::move(labels)).gauge.value = value;
  }
  std::map<std::string, MetricFamily> families;

 private:
  ClientMetric& Add(const std::string& name, const std::string& help, MetricType type,
                    Labels labels) {
    MetricFamily& family = families[name];
    family.name = name;
    family.help = help;
    family.type = type;
    ClientMetric& metric = family.metric.emplace_back();
    for (auto& [key, value] : labels) metric.label.push_back({key, std::move(value)});
    return metric;
  }
};

}  // namespace

struct Registry::Entry {
  std::string help;
  std::variant<std::monostate, std::unique_ptr<Family<Counter>>, std::unique_ptr<Family<Gauge>>,
               std::unique_ptr<Family<Histogram>>>
      family;
};

namespace {

template <class M, class Variant>
Family<M>& Get(Variant* family, const std::string& name,
               const std::vector<std::string>& label_names) {
  auto* held = std::get_if<std::unique_ptr<Family<M>>>(family);
  CHECK(held != nullptr) << "metric " << name << " exists with another type";
  CHECK((*held)->label_names() == label_names) << "metric " << name << " exists with other labels";
  return **held;
}

}  // namespace

Registry::Registry() = default;
Registry::~Registry() = default;

Registry::Entry& Registry::Find(const std::string& name, const std::string& help,
                                const std::function<void(Entry*)>& fill) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<Entry>& entry = entries_[name];
  if (entry == nullptr) {
    entry = std::make_unique<Entry>();
    entry->help = help;
    fill(entry.get());
  }
  return *entry;
}

Family<Counter>& Registry::AddCounterFamily(const std::string& name, const std::string& help,
                                            std::vector<std::string> label_names) {
  Entry& entry = Find(name, help, [&](Entry* e) {
    e->family =
        std::make_unique<Family<Counter>>(label_names, [] { return std::make_unique<Counter>(); });
  });
  return Get<Counter>(&entry.family, name, label_names);
}

Family<Gauge>& Registry::AddGaugeFamily(const std::string& name, const std::string& help,
                                        std::vector<std::string> label_names) {
  Entry& entry = Find(name, help, [&](Entry* e) {
    e->family =
        std::make_unique<Family<Gauge>>(label_names, [] { return std::make_unique<Gauge>(); });
  });
  return Get<Gauge>(&entry.family, name, label_names);
}

Family<Histogram>& Registry::AddHistogramFamily(const std::string& name, const std::string& help,
                                                std::vector<std::string> label_names,
                                                std::vector<double> bounds) {
  Entry& entry = Find(name, help, [&](Entry* e) {
    e->family = std::make_unique<Family<Histogram>>(
        label_names, [bounds] { return std::make_unique<Histogram>(bounds); });
  });
  return Get<Histogram>(&entry.family, name, label_names);
}

Counter& Registry::AddCounter(const std::string& name, const std::string& help) {
  return AddCounterFamily(name, help, {}).With({});
}

Gauge& Registry::AddGauge(const std::string& name, const std::string& help) {
  return AddGaugeFamily(name, help, {}).With({});
}

Histogram& Registry::AddHistogram(const std::string& name, const std::string& help,
                                  std::vector<double> bounds) {
  return AddHistogramFamily(name, help, {}, std::move(bounds)).With({});
}

uint64_t Registry::AddCollector(Collect collect) {
  std::lock_guard lock(collectors_mutex_);
  const uint64_t id = next_collector_++;
  collectors_.emplace(id, std::move(collect));
  return id;
}

void Registry::RemoveCollector(uint64_t id) {
  std::lock_guard lock(collectors_mutex_);
  collectors_.erase(id);
}

std::string Registry::Text() const {
  Gathered gathered;
  {
    std::lock_guard lock(collectors_mutex_);
    for (const auto& [id, collect] : collectors_) collect(&gathered);
  }
  {
    std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : entries_) {
      MetricFamily& out = gathered.families[name];
      out.name = name;
      out.help = entry->help;
      std::visit(
          [&](const auto& family) {
            if constexpr (requires { *family; }) Export(*family, &out);
          },
          entry->family);
    }
  }
  std::vector<MetricFamily> families;
  for (auto& [name, family] : gathered.families) {
    if (!family.metric.empty()) families.push_back(std::move(family));
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

}  // namespace tikv::metrics
