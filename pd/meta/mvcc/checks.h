// What is wrong with a request regardless of any state: etcd's own checks, in its order.
#pragma once

#include <absl/status/status.h>

namespace etcdserverpb {
class DeleteRangeRequest;
class PutRequest;
class RangeRequest;
class TxnRequest;
}  // namespace etcdserverpb

namespace tikv::pd::meta {

inline constexpr int kMaxTxnOps = 128;

absl::Status CheckRange(const etcdserverpb::RangeRequest& request);
absl::Status CheckPut(const etcdserverpb::PutRequest& request);
absl::Status CheckDelete(const etcdserverpb::DeleteRangeRequest& request);
// At most `max_ops` conditions and operations per branch (nested transactions have what is left),
// and no key changed twice.
absl::Status CheckTxn(const etcdserverpb::TxnRequest& request, int max_ops = kMaxTxnOps);

// Whether some branch may change a key.
bool IsReadOnly(const etcdserverpb::TxnRequest& request);

}  // namespace tikv::pd::meta
