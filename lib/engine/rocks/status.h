// RocksDB's status as ours.
#pragma once

#include <absl/status/status.h>

#include <string_view>

namespace rocksdb {
class Status;
}

namespace tikv::engine {

// OK stays OK; corruption is DataLoss, a full disk ResourceExhausted, "not in cache" and "try
// later" Unavailable.  The text says what was attempted.
absl::Status FromRocks(const rocksdb::Status& s, std::string_view what);

}  // namespace tikv::engine
