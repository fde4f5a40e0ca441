// Our options as RocksDB's.  Included by this folder's sources only.
#pragma once

#include <rocksdb/options.h>

#include "lib/engine/rocks/rocks_engine.h"

namespace tikv::engine {

rocksdb::DBOptions ToDbOptions(const RocksOptions& options);
rocksdb::ColumnFamilyOptions ToCfOptions(Cf cf, const RocksCfOptions& options,
                                         const std::shared_ptr<rocksdb::Cache>& block_cache);

}  // namespace tikv::engine
