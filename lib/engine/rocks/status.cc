#include "lib/engine/rocks/status.h"

#include <rocksdb/status.h>

#include "lib/base/status.h"

namespace tikv::engine {
namespace {

absl::StatusCode CodeOf(const rocksdb::Status& s) {
  if (s.IsNoSpace()) return absl::StatusCode::kResourceExhausted;
  switch (s.code()) {
    case rocksdb::Status::kNotFound:
      return absl::StatusCode::kNotFound;
    case rocksdb::Status::kCorruption:
      return absl::StatusCode::kDataLoss;
    case rocksdb::Status::kNotSupported:
      return absl::StatusCode::kUnimplemented;
    case rocksdb::Status::kInvalidArgument:
      return absl::StatusCode::kInvalidArgument;
    case rocksdb::Status::kIncomplete:
    case rocksdb::Status::kBusy:
    case rocksdb::Status::kTryAgain:
    case rocksdb::Status::kTimedOut:
      return absl::StatusCode::kUnavailable;
    case rocksdb::Status::kShutdownInProgress:
      return absl::StatusCode::kCancelled;
    case rocksdb::Status::kAborted:
      return absl::StatusCode::kAborted;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status FromRocks(const rocksdb::Status& s, std::string_view what) {
  if (s.ok()) return absl::OkStatus();
  return absl::Status(CodeOf(s), fmt::format("rocksdb {}: {}", what, s.ToString()));
}

}  // namespace tikv::engine
