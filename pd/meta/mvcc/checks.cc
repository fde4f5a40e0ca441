#include "pd/meta/mvcc/checks.h"

#include <set>

#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/kv.h"
#include "proto/etcdserverpb.pb.h"

namespace tikv::pd::meta {
namespace {

using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;
using Branch = google::protobuf::RepeatedPtrField<RequestOp>;

// The keys that a branch changes.  Puts of one key exclude each other and any delete of it; the
// branches of a nested transaction exclude each other and so may share keys.
struct ChangedKeys {
  std::set<std::string> puts;
  std::vector<KeyRange> deletes;

  bool DeletesOverlapPuts() const {
    for (const KeyRange& range : deletes) {
      for (auto it = puts.lower_bound(range.key); it != puts.end(); ++it) {
        if (range.contains(*it)) return true;
        if (range.end.empty()) break;
        if (range.end != std::string_view("\0", 1) && *it >= range.end) break;
      }
    }
    return false;
  }
};

absl::Status CollectChanges(const Branch& branch, ChangedKeys* out);

absl::Status MergeNested(const TxnRequest& txn, ChangedKeys* out) {
  ChangedKeys then, otherwise;
  RETURN_IF_ERROR(CollectChanges(txn.success(), &then));
  RETURN_IF_ERROR(CollectChanges(txn.failure(), &otherwise));
  then.puts.merge(otherwise.puts);
  for (const std::string& key : then.puts) {
    if (!out->puts.insert(key).second) return ErrDuplicateKey();
  }
  out->deletes.insert(out->deletes.end(), then.deletes.begin(), then.deletes.end());
  out->deletes.insert(out->deletes.end(), otherwise.deletes.begin(), otherwise.deletes.end());
  return absl::OkStatus();
}

// A delete and a put of one key are refused within a branch and its nested transactions, except
// between the two branches of one nested transaction.
absl::Status CollectChanges(const Branch& branch, ChangedKeys* out) {
  ChangedKeys own;
  for (const RequestOp& op : branch) {
    if (op.has_request_put() && !own.puts.insert(op.request_put().key()).second) {
      return ErrDuplicateKey();
    }
    if (op.has_request_delete_range()) {
      own.deletes.push_back(
          {op.request_delete_range().key(), op.request_delete_range().range_end()});
    }
  }
  if (own.DeletesOverlapPuts()) return ErrDuplicateKey();
  for (const RequestOp& op : branch) {
    if (!op.has_request_txn()) continue;
    ChangedKeys nested;
    RETURN_IF_ERROR(MergeNested(op.request_txn(), &nested));
    ChangedKeys crossed{nested.puts, own.deletes};
    if (crossed.DeletesOverlapPuts()) return ErrDuplicateKey();
    crossed = {own.puts, nested.deletes};
    if (crossed.DeletesOverlapPuts()) return ErrDuplicateKey();
    for (const std::string& key : nested.puts) {
      if (!own.puts.insert(key).second) return ErrDuplicateKey();
    }
    own.deletes.insert(own.deletes.end(), nested.deletes.begin(), nested.deletes.end());
  }
  *out = std::move(own);
  return absl::OkStatus();
}

absl::Status CheckOp(const RequestOp& op, int max_ops);

absl::Status CheckShape(const TxnRequest& txn, int max_ops) {
  const int ops = std::max({txn.compare_size(), txn.success_size(), txn.failure_size()});
  if (ops > max_ops) return ErrTooManyOps();
  for (const etcdserverpb::Compare& c : txn.compare()) {
    if (c.key().empty()) return ErrEmptyKey();
  }
  for (const RequestOp& op : txn.success()) RETURN_IF_ERROR(CheckOp(op, max_ops - ops));
  for (const RequestOp& op : txn.failure()) RETURN_IF_ERROR(CheckOp(op, max_ops - ops));
  return absl::OkStatus();
}

absl::Status CheckOp(const RequestOp& op, int max_ops) {
  switch (op.request_case()) {
    case RequestOp::kRequestRange:
      return CheckRange(op.request_range());
    case RequestOp::kRequestPut:
      return CheckPut(op.request_put());
    case RequestOp::kRequestDeleteRange:
      return CheckDelete(op.request_delete_range());
    case RequestOp::kRequestTxn:
      return CheckShape(op.request_txn(), max_ops);
    case RequestOp::REQUEST_NOT_SET:
      break;
  }
  return ErrKeyNotFound();  // As etcd answers an operation without content.
}

bool IsReadOnlyBranch(const Branch& branch) {
  for (const RequestOp& op : branch) {
    if (op.has_request_range()) continue;
    if (op.has_request_txn() && IsReadOnly(op.request_txn())) continue;
    return false;
  }
  return true;
}

}  // namespace

absl::Status CheckRange(const etcdserverpb::RangeRequest& r) {
  if (r.key().empty()) return ErrEmptyKey();
  if (!etcdserverpb::RangeRequest::SortOrder_IsValid(r.sort_order()) ||
      !etcdserverpb::RangeRequest::SortTarget_IsValid(r.sort_target())) {
    return ErrInvalidSortOption();
  }
  return absl::OkStatus();
}

absl::Status CheckPut(const etcdserverpb::PutRequest& r) {
  if (r.key().empty()) return ErrEmptyKey();
  if (r.ignore_value() && !r.value().empty()) return ErrValueProvided();
  if (r.ignore_lease() && r.lease() != 0) return ErrLeaseProvided();
  return absl::OkStatus();
}

absl::Status CheckDelete(const etcdserverpb::DeleteRangeRequest& r) {
  return r.key().empty() ? ErrEmptyKey() : absl::OkStatus();
}

absl::Status CheckTxn(const TxnRequest& txn, int max_ops) {
  RETURN_IF_ERROR(CheckShape(txn, max_ops));
  ChangedKeys ignored;
  RETURN_IF_ERROR(CollectChanges(txn.success(), &ignored));
  return CollectChanges(txn.failure(), &ignored);
}

bool IsReadOnly(const TxnRequest& txn) {
  return IsReadOnlyBranch(txn.success()) && IsReadOnlyBranch(txn.failure());
}

}  // namespace tikv::pd::meta
