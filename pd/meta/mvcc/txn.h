// Executing the operations of a transaction.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include "proto/etcdserverpb.pb.h"

namespace tikv::pd::meta {

class View;
class Writer;

// What a transaction needs to know of the state beside the keys.
struct TxnLimits {
  int64_t compact_revision = 0;
  absl::FunctionRef<bool(int64_t lease)> has_lease;
};

// Conditions, nested ones too, see the state before the transaction; reads see the puts before
// them.  An error means that nothing may be written.
absl::StatusOr<etcdserverpb::TxnResponse> ExecuteTxn(const etcdserverpb::TxnRequest& request,
                                                     const TxnLimits& limits, Writer* writer);
// One that changes nothing.  REQUIRES: IsReadOnly(request).
absl::StatusOr<etcdserverpb::TxnResponse> ExecuteReadOnlyTxn(
    const etcdserverpb::TxnRequest& request, int64_t compact_revision, const View& view);

absl::StatusOr<etcdserverpb::PutResponse> ExecutePut(const etcdserverpb::PutRequest& request,
                                                     const TxnLimits& limits, Writer* writer);
absl::StatusOr<etcdserverpb::DeleteRangeResponse> ExecuteDelete(
    const etcdserverpb::DeleteRangeRequest& request, Writer* writer);

}  // namespace tikv::pd::meta
