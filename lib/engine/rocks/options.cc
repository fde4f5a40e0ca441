#include "lib/engine/rocks/options.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>

#include <algorithm>

namespace tikv::engine {
namespace {

std::vector<rocksdb::CompressionType> Compression(Cf cf) {
  // Locks and the store's own records are short-lived: compressing them only costs.
  if (cf == Cf::kLock || cf == Cf::kRaft) {
    return std::vector<rocksdb::CompressionType>(7, rocksdb::kNoCompression);
  }
  return {rocksdb::kNoCompression,
          rocksdb::kNoCompression,
          rocksdb::kLZ4Compression,
          rocksdb::kLZ4Compression,
          rocksdb::kLZ4Compression,
          rocksdb::kZSTD,
          rocksdb::kZSTD};
}

}  // namespace

RocksOptions::RocksOptions() {
  cf[static_cast<size_t>(Cf::kDefault)].write_buffer_bytes = 64 << 20;
  cf[static_cast<size_t>(Cf::kWrite)].write_buffer_bytes = 64 << 20;
  for (Cf small : {Cf::kLock, Cf::kRaft}) {
    RocksCfOptions& o = cf[static_cast<size_t>(small)];
    o.write_buffer_bytes = 16 << 20;
    o.level_base_bytes = 128 << 20;
    o.level0_compaction_trigger = 1;  // Their tombstones pile up; the files are small.
  }
}

int64_t CompactionRate(const RocksOptions& options) {
  constexpr uint64_t kNoLimit = uint64_t{10} << 30;
  constexpr uint64_t kLeast = 256 << 10;  // Below, its shares of a moment would round to nothing.
  const uint64_t rate = options.compaction_bytes_per_sec;
  return static_cast<int64_t>(rate == 0 ? kNoLimit : std::clamp(rate, kLeast, kNoLimit));
}

OptionChanges ChangeableDbOptions(const RocksOptions& options) {
  return {{"max_background_jobs", std::to_string(options.background_threads)},
          {"max_open_files", std::to_string(options.max_open_files)},
          {"max_total_wal_size", std::to_string(options.max_wal_bytes)}};
}

OptionChanges ChangeableCfOptions(const RocksCfOptions& options) {
  return {{"write_buffer_size", std::to_string(options.write_buffer_bytes)},
          {"max_write_buffer_number", std::to_string(options.max_write_buffers)},
          {"max_bytes_for_level_base", std::to_string(options.level_base_bytes)},
          {"target_file_size_base", std::to_string(options.target_file_bytes)},
          {"level0_file_num_compaction_trigger", std::to_string(options.level0_compaction_trigger)},
          {"level0_slowdown_writes_trigger", std::to_string(options.level0_slowdown_trigger)},
          {"level0_stop_writes_trigger", std::to_string(options.level0_stop_trigger)},
          {"disable_auto_compactions", options.disable_auto_compactions ? "true" : "false"}};
}

rocksdb::DBOptions ToDbOptions(const RocksOptions& options) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.max_background_jobs = options.background_threads;
  db.max_open_files = options.max_open_files;
  db.max_total_wal_size = options.max_wal_bytes;
  // Steady write-back instead of bursts that would delay the raft log's fdatasync.
  db.bytes_per_sync = 1 << 20;
  db.wal_bytes_per_sync = 1 << 20;
  // After a crash the raft log replays what the WAL lost: the state at any moment will do.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.avoid_unnecessary_blocking_io = true;
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.max_log_file_size = 16 << 20;
  db.keep_log_file_num = 4;
  db.statistics = rocksdb::CreateDBStatistics();
  db.statistics->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
  // Also without a limit: it may be given one later.
  db.rate_limiter.reset(rocksdb::NewGenericRateLimiter(CompactionRate(options), 100'000, 10,
                                                       rocksdb::RateLimiter::Mode::kWritesOnly,
                                                       /*auto_tuned=*/true));
  return db;
}

rocksdb::ColumnFamilyOptions ToCfOptions(Cf cf, const RocksCfOptions& options,
                                         const std::shared_ptr<rocksdb::Cache>& block_cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = block_cache;
  table.block_size = options.block_bytes;
  table.checksum = rocksdb::kXXH3;  // Debian's build computes crc32c without the CPU's help.
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;  // Else their memory has no bound.
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;

  rocksdb::ColumnFamilyOptions o;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  o.write_buffer_size = options.write_buffer_bytes;
  o.max_write_buffer_number = options.max_write_buffers;
  o.compression_per_level = Compression(cf);
  o.level_compaction_dynamic_level_bytes = true;
  o.max_bytes_for_level_base = options.level_base_bytes;
  o.target_file_size_base = options.target_file_bytes;
  o.level0_file_num_compaction_trigger = options.level0_compaction_trigger;
  o.level0_slowdown_writes_trigger = options.level0_slowdown_trigger;
  o.level0_stop_writes_trigger = options.level0_stop_trigger;
  o.disable_auto_compactions = options.disable_auto_compactions;
  return o;
}

}  // namespace tikv::engine
