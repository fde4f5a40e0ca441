// KvEngine on RocksDB.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "lib/engine/engine.h"

namespace tikv::engine {

// Of one column family; TiKV's [rocksdb.defaultcf] and its siblings.
struct RocksCfOptions {
  uint64_t write_buffer_bytes = 32 << 20;
  int max_write_buffers = 5;
  uint64_t block_bytes = 16 << 10;
  uint64_t level_base_bytes = 512ull << 20;
  uint64_t target_file_bytes = 8 << 20;
  int level0_compaction_trigger = 4;
  int level0_slowdown_trigger = 20;
  int level0_stop_trigger = 36;
  bool disable_auto_compactions = false;
};

// Of the whole database.  The defaults suit a store on a small machine; nothing is reserved.
struct RocksOptions {
  std::string dir;                            // Created when missing.
  uint64_t block_cache_bytes = 256ull << 20;  // A bound, not a reservation; shared by all families.
  int background_threads = 2;                 // Flushes and compactions together.
  int max_open_files = 4096;
  uint64_t max_wal_bytes = 1ull << 30;      // Flushes idle families beyond it.
  uint64_t compaction_bytes_per_sec = 0;    // 0: no limit.
  std::array<RocksCfOptions, kCfCount> cf;  // Indexed by Cf.

  RocksOptions();  // Fills `cf` with what suits each family.
};

// What only this body can do.
class RocksKvEngine : public KvEngine {
 public:
  // Takes over, while running: cache size, background threads, open files, WAL bound, compaction
  // rate, and of the families all but the block size.  Calls must not overlap.  An error: what
  // RocksDB refused; what came before it is changed.
  virtual absl::Status Reconfigure(const RocksOptions& options) = 0;
};

// Opens or creates.  Unavailable when another process has the folder; FailedPrecondition when the
// folder holds other column families than ours; DataLoss for corruption.
absl::StatusOr<std::unique_ptr<RocksKvEngine>> OpenRocksEngine(const RocksOptions& options);

}  // namespace tikv::engine
