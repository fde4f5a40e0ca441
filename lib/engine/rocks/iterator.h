// Iterator and option translation shared by engine and snapshot.  Included by this folder only.
#pragma once

#include <rocksdb/db.h>

#include "lib/engine/engine.h"

namespace tikv::engine {

inline rocksdb::Slice ToSlice(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToView(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

// `snapshot` may be null: the state of now.
absl::StatusOr<bool> RocksGet(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* cf,
                              const rocksdb::Snapshot* snapshot, std::string_view key,
                              PinnedValue* value, const ReadOptions& options);
std::unique_ptr<Iterator> NewRocksIterator(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* cf,
                                           const rocksdb::Snapshot* snapshot,
                                           IteratorOptions options);

}  // namespace tikv::engine
