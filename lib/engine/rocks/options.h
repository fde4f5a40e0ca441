// Our options as RocksDB's.  Included by this folder's sources only.
#pragma once

#include <rocksdb/options.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include "lib/engine/rocks/rocks_engine.h"

namespace tikv::engine {

rocksdb::DBOptions ToDbOptions(const RocksOptions& options);
rocksdb::ColumnFamilyOptions ToCfOptions(Cf cf, const RocksCfOptions& options,
                                         const std::shared_ptr<rocksdb::Cache>& block_cache);

// What may change while the database is open, by RocksDB's names.
using OptionChanges = std::unordered_map<std::string, std::string>;
OptionChanges ChangeableDbOptions(const RocksOptions& options);
OptionChanges ChangeableCfOptions(const RocksCfOptions& options);
// For the rate limiter.
int64_t CompactionRate(const RocksOptions& options);

}  // namespace tikv::engine
