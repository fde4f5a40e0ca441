#include "server/node/engine_metrics.h"

#include <string>
#include <string_view>

namespace tikv::server {
namespace {

// How one of the engine's figures is called in the metrics.
struct Name {
  std::string_view stat;
  const char* metric;
  const char* help;
};

constexpr Name kPerFamily[] = {
    {"live-sst-files-size", "tikv_engine_size_bytes", "Live files by family."},
    {"estimate-pending-compaction-bytes", "tikv_engine_pending_compaction_bytes",
     "What compactions are behind."},
    {"num-immutable-mem-table", "tikv_engine_num_immutable_mem_table", "Memtables to flush."},
    {"estimate-num-keys", "tikv_engine_estimate_num_keys", "Keys, about."},
    {"num-snapshots", "tikv_engine_num_snapshots", "Snapshots held."},
    {"cur-size-all-mem-tables", "tikv_engine_memory_bytes", "Memtables."},
};

constexpr std::string_view kLevel = "num-files-at-level";

void AddOne(std::string_view stat, const std::string& cf, double value, metrics::Samples* samples) {
  if (stat.rfind(kLevel, 0) == 0) {
    samples->AddGauge(
        "tikv_engine_num_files_at_level", "Files by level.",
        {{"db", "kv"}, {"cf", cf}, {"level", std::string(stat.substr(kLevel.size()))}}, value);
    return;
  }
  for (const Name& name : kPerFamily) {
    if (name.stat != stat) continue;
    const bool size = stat == "live-sst-files-size";
    samples->AddGauge(name.metric, name.help, {{"db", "kv"}, {size ? "type" : "cf", cf}}, value);
  }
}

void Collect(const engine::KvEngine& engine, metrics::Samples* samples) {
  double stopped = 0;
  double cache = 0;
  for (const auto& [name, value] : engine.Stats()) {
    const size_t slash = name.find('/');
    const std::string_view stat = std::string_view(name).substr(0, slash);
    if (stat == "block-cache-usage") cache = static_cast<double>(value);
    if (stat == "is-write-stopped") stopped += static_cast<double>(value);
    if (slash == std::string::npos) continue;
    AddOne(stat, name.substr(slash + 1), static_cast<double>(value), samples);
  }
  // One cache serves all families.
  samples->AddGauge("tikv_engine_block_cache_size_bytes", "The block cache in use.",
                    {{"db", "kv"}, {"cf", "all"}}, cache);
  samples->AddGauge("tikv_engine_write_stall", "Families that refuse writes.",
                    {{"db", "kv"}, {"type", "write_stall_stop"}}, stopped);
}

}  // namespace

EngineMetrics::EngineMetrics(engine::KvEngine* engine, metrics::Registry* registry)
    : registry_(registry), id_(registry->AddCollector([engine](metrics::Samples* samples) {
        Collect(*engine, samples);
      })) {}

EngineMetrics::~EngineMetrics() { registry_->RemoveCollector(id_); }

}  // namespace tikv::server
