#include "server/node/config_metrics.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "lib/config/units.h"

namespace tikv::server {
namespace {

using nlohmann::json;

// Sizes in bytes, durations in seconds; texts and lists have no number.
std::optional<double> NumberOf(const json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const std::string text = value.get<std::string>();
  if (const auto size = config::ParseSize(text); size.ok()) {
    return static_cast<double>(size->bytes);
  }
  if (const auto duration = config::ParseDuration(text); duration.ok()) {
    return std::chrono::duration<double>(*duration).count();
  }
  return std::nullopt;
}

void AddSection(const json& section, const char* metric, const metrics::Labels& labels,
                metrics::Samples* samples) {
  for (const auto& [key, value] : section.items()) {
    const std::optional<double> number = NumberOf(value);
    if (!number.has_value()) continue;
    std::string name = key;
    for (char& c : name) {
      if (c == '-') c = '_';
    }
    metrics::Labels all = labels;
    all.emplace_back("name", std::move(name));
    samples->AddGauge(metric, "The running configuration.", std::move(all), *number);
  }
}

void Collect(LiveConfig* config, metrics::Samples* samples) {
  const json all = json::parse(config->Json());
  AddSection(all["raftstore"], "tikv_config_raftstore", {}, samples);
  AddSection(all["rocksdb"], "tikv_config_rocksdb_db", {{"db", "kv"}}, samples);
  for (const char* cf : {"default", "lock", "write", "raft"}) {
    AddSection(all["rocksdb"][std::string(cf) + "cf"], "tikv_config_rocksdb_cf", {{"cf", cf}},
               samples);
  }
}

}  // namespace

ConfigMetrics::ConfigMetrics(LiveConfig* config, metrics::Registry* registry)
    : registry_(registry), id_(registry->AddCollector([config](metrics::Samples* samples) {
        Collect(config, samples);
      })) {}

ConfigMetrics::~ConfigMetrics() { registry_->RemoveCollector(id_); }

}  // namespace tikv::server
