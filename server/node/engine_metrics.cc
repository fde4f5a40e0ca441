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

// RocksDB's counters under the names and types of the original's dashboards.
struct TickerName {
  std::string_view ticker;
  const char* metric;
  const char* type;
};

constexpr TickerName kTickers[] = {
    {"rocksdb.bytes.written", "tikv_engine_flow_bytes", "bytes_written"},
    {"rocksdb.bytes.read", "tikv_engine_flow_bytes", "bytes_read"},
    {"rocksdb.db.iter.bytes.read", "tikv_engine_flow_bytes", "iter_bytes_read"},
    {"rocksdb.wal.bytes", "tikv_engine_flow_bytes", "wal_file_bytes"},
    {"rocksdb.number.keys.written", "tikv_engine_flow_bytes", "keys_written"},
    {"rocksdb.number.keys.read", "tikv_engine_flow_bytes", "keys_read"},
    {"rocksdb.flush.write.bytes", "tikv_engine_flow_bytes", "flush_write_bytes"},
    {"rocksdb.compact.read.bytes", "tikv_engine_compaction_flow_bytes", "bytes_read"},
    {"rocksdb.compact.write.bytes", "tikv_engine_compaction_flow_bytes", "bytes_written"},
    {"rocksdb.memtable.hit", "tikv_engine_memtable_efficiency", "memtable_hit"},
    {"rocksdb.memtable.miss", "tikv_engine_memtable_efficiency", "memtable_miss"},
    {"rocksdb.l0.hit", "tikv_engine_get_served", "get_hit_l0"},
    {"rocksdb.l1.hit", "tikv_engine_get_served", "get_hit_l1"},
    {"rocksdb.l2andup.hit", "tikv_engine_get_served", "get_hit_l2_and_up"},
    {"rocksdb.block.cache.hit", "tikv_engine_cache_efficiency", "block_cache_hit"},
    {"rocksdb.block.cache.miss", "tikv_engine_cache_efficiency", "block_cache_miss"},
    {"rocksdb.block.cache.add", "tikv_engine_cache_efficiency", "block_cache_add"},
    {"rocksdb.block.cache.data.hit", "tikv_engine_cache_efficiency", "block_cache_data_hit"},
    {"rocksdb.block.cache.data.miss", "tikv_engine_cache_efficiency", "block_cache_data_miss"},
    {"rocksdb.block.cache.index.hit", "tikv_engine_cache_efficiency", "block_cache_index_hit"},
    {"rocksdb.block.cache.index.miss", "tikv_engine_cache_efficiency", "block_cache_index_miss"},
    {"rocksdb.block.cache.filter.hit", "tikv_engine_cache_efficiency", "block_cache_filter_hit"},
    {"rocksdb.block.cache.filter.miss", "tikv_engine_cache_efficiency", "block_cache_filter_miss"},
    {"rocksdb.bloom.filter.useful", "tikv_engine_bloom_efficiency", "bloom_useful"},
    {"rocksdb.number.db.seek", "tikv_engine_locate", "number_db_seek"},
    {"rocksdb.number.db.seek.found", "tikv_engine_locate", "number_db_seek_found"},
    {"rocksdb.number.db.next", "tikv_engine_locate", "number_db_next"},
    {"rocksdb.number.db.next.found", "tikv_engine_locate", "number_db_next_found"},
    {"rocksdb.number.db.prev", "tikv_engine_locate", "number_db_prev"},
    {"rocksdb.number.db.prev.found", "tikv_engine_locate", "number_db_prev_found"},
    {"rocksdb.write.self", "tikv_engine_write_served", "write_done_by_self"},
    {"rocksdb.write.other", "tikv_engine_write_served", "write_done_by_other"},
    {"rocksdb.write.wal", "tikv_engine_write_served", "write_with_wal"},
    {"rocksdb.compaction.key.drop.new", "tikv_engine_compaction_key_drop",
     "compaction_key_drop_newer_entry"},
    {"rocksdb.compaction.key.drop.obsolete", "tikv_engine_compaction_key_drop",
     "compaction_key_drop_obsolete"},
    {"rocksdb.compaction.key.drop.range_del", "tikv_engine_compaction_key_drop",
     "compaction_key_drop_range_del"},
};

bool AddTicker(std::string_view name, double value, metrics::Samples* samples) {
  if (!name.starts_with("rocksdb.")) return false;
  for (const TickerName& known : kTickers) {
    if (known.ticker != name) continue;
    samples->AddCounter(known.metric, "Of RocksDB, since the start.",
                        {{"db", "kv"}, {"type", known.type}}, value);
  }
  if (name == "rocksdb.wal.synced") {
    samples->AddCounter("tikv_engine_wal_file_synced", "Syncs of the write-ahead log.",
                        {{"db", "kv"}}, value);
  }
  return true;
}

void AddRaftLog(const raftlog::LogStats& stats, metrics::Samples* samples) {
  samples->AddGauge("raft_engine_log_file_count", "Files of the Raft log.", {{"type", "append"}},
                    static_cast<double>(stats.segments));
  samples->AddGauge("raft_engine_log_entry_count", "Entries in the Raft log.", {{"type", "append"}},
                    static_cast<double>(stats.entries));
  samples->AddGauge("raft_engine_memory_usage", "Recent entries in memory.", {},
                    static_cast<double>(stats.cache_bytes));
  samples->AddCounter("raft_engine_background_rewrite_bytes", "Moved out of old files.",
                      {{"type", "append"}}, static_cast<double>(stats.rewritten_bytes));
  samples->AddCounter("tikv_engine_flow_bytes", "Of RocksDB, since the start.",
                      {{"db", "raft"}, {"type", "wal_file_bytes"}},
                      static_cast<double>(stats.written_bytes));
  samples->AddGauge("tikv_engine_size_bytes", "Live files by family.",
                    {{"db", "raft"}, {"type", "default"}}, static_cast<double>(stats.disk_bytes));
  constexpr const char* kFetches = "tikv_raftstore_entry_fetches";
  samples->AddCounter(kFetches, "Entries read from the Raft log.", {{"type", "cache"}},
                      static_cast<double>(stats.cache_hits));
  samples->AddCounter(kFetches, "Entries read from the Raft log.", {{"type", "async-fetch"}},
                      static_cast<double>(stats.cache_misses));
}

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
    if (AddTicker(name, static_cast<double>(value), samples)) continue;
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

EngineMetrics::EngineMetrics(engine::KvEngine* engine, raftlog::RaftLog* raft_log,
                             metrics::Registry* registry)
    : registry_(registry), id_(registry->AddCollector([=](metrics::Samples* samples) {
        Collect(*engine, samples);
        AddRaftLog(raft_log->Stats(), samples);
      })) {}

EngineMetrics::~EngineMetrics() { registry_->RemoveCollector(id_); }

}  // namespace tikv::server
