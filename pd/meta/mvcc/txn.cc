#include "pd/meta/mvcc/txn.h"

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/mvcc/range.h"
#include "pd/meta/mvcc/view.h"
#include "pd/meta/mvcc/writer.h"

namespace tikv::pd::meta {
namespace {

using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;
using etcdserverpb::TxnResponse;
using Branch = google::protobuf::RepeatedPtrField<RequestOp>;

// Which branches run: one entry per transaction, in the order in which execution meets them.
using Path = std::vector<bool>;

absl::Status FindPath(const View& before, const TxnRequest& txn, Path* path) {
  bool all = true;
  for (const etcdserverpb::Compare& c : txn.compare()) {
    ASSIGN_OR_RETURN(all, Holds(before, c));
    if (!all) break;
  }
  path->push_back(all);
  for (const RequestOp& op : all ? txn.success() : txn.failure()) {
    if (op.has_request_txn()) RETURN_IF_ERROR(FindPath(before, op.request_txn(), path));
  }
  return absl::OkStatus();
}

absl::Status CheckRevision(int64_t wanted, int64_t compacted, int64_t current) {
  if (wanted > current) return ErrFutureRev();
  return wanted > 0 && wanted < compacted ? ErrCompacted() : absl::OkStatus();
}

// Executes the chosen branches.  Without a writer everything is a read on `view`.
class Execution {
 public:
  Execution(const View& view, int64_t compact_revision, const TxnLimits* limits, Writer* writer,
            const Path& path)
      : view_(view), compacted_(compact_revision), limits_(limits), writer_(writer), path_(path) {}

  absl::Status Run(const TxnRequest& txn, TxnResponse* out) {
    const bool succeeded = path_[step_++];
    out->set_succeeded(succeeded);
    out->mutable_header();
    for (const RequestOp& op : succeeded ? txn.success() : txn.failure()) {
      RETURN_IF_ERROR(RunOp(op, out->add_responses()));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status RunOp(const RequestOp& op, etcdserverpb::ResponseOp* out) {
    if (op.has_request_txn()) return Run(op.request_txn(), out->mutable_response_txn());
    if (op.has_request_range()) return RunRange(op.request_range(), out->mutable_response_range());
    CHECK(writer_ != nullptr) << "a change in a transaction that was taken for a read";
    if (op.has_request_put()) {
      ASSIGN_OR_RETURN(*out->mutable_response_put(),
                       ExecutePut(op.request_put(), *limits_, writer_));
    } else {
      ASSIGN_OR_RETURN(*out->mutable_response_delete_range(),
                       ExecuteDelete(op.request_delete_range(), writer_));
    }
    return absl::OkStatus();
  }

  absl::Status RunRange(const etcdserverpb::RangeRequest& r, etcdserverpb::RangeResponse* out) {
    RETURN_IF_ERROR(CheckRevision(r.revision(), compacted_, view_.revision()));
    if (r.revision() > 0) {
      ASSIGN_OR_RETURN(*out, ExecuteRange(view_.At(r.revision()), r));
    } else {
      ASSIGN_OR_RETURN(*out, ExecuteRange(writer_ != nullptr ? writer_->now() : view_, r));
    }
    // Go's software transactions read on at this revision.
    out->mutable_header()->set_revision(writer_ != nullptr ? writer_->revision()
                                                           : view_.revision());
    return absl::OkStatus();
  }

  const View& view_;
  const int64_t compacted_;
  const TxnLimits* limits_;
  Writer* writer_;
  const Path& path_;
  size_t step_ = 0;
};

}  // namespace

absl::StatusOr<etcdserverpb::PutResponse> ExecutePut(const etcdserverpb::PutRequest& r,
                                                     const TxnLimits& limits, Writer* writer) {
  std::string value = r.value();
  int64_t lease = r.lease();
  if (r.ignore_value() || r.ignore_lease()) {
    ASSIGN_OR_RETURN(std::optional<KeyValue> now, writer->now().Get(r.key()));
    if (!now) return ErrKeyNotFound();
    if (r.ignore_value()) value = std::move(now->value);
    if (r.ignore_lease()) lease = now->lease;
  }
  if (lease != 0 && !limits.has_lease(lease)) return ErrLeaseNotFound();
  ASSIGN_OR_RETURN(std::optional<KeyValue> old, writer->Put(r.key(), std::move(value), lease));
  etcdserverpb::PutResponse response;
  response.mutable_header()->set_revision(writer->revision());
  if (r.prev_kv() && old) ToProto(std::move(*old), response.mutable_prev_kv());
  return response;
}

absl::StatusOr<etcdserverpb::DeleteRangeResponse> ExecuteDelete(
    const etcdserverpb::DeleteRangeRequest& r, Writer* writer) {
  ASSIGN_OR_RETURN(std::vector<KeyValue> old, writer->DeleteRange({r.key(), r.range_end()}));
  etcdserverpb::DeleteRangeResponse response;
  response.mutable_header()->set_revision(writer->revision());
  response.set_deleted(static_cast<int64_t>(old.size()));
  if (r.prev_kv()) {
    for (KeyValue& kv : old) ToProto(std::move(kv), response.add_prev_kvs());
  }
  return response;
}

absl::StatusOr<TxnResponse> ExecuteTxn(const TxnRequest& request, const TxnLimits& limits,
                                       Writer* writer) {
  Path path;
  RETURN_IF_ERROR(FindPath(writer->before(), request, &path));
  TxnResponse response;
  Execution execution(writer->before(), limits.compact_revision, &limits, writer, path);
  RETURN_IF_ERROR(execution.Run(request, &response));
  response.mutable_header()->set_revision(writer->revision());
  return response;
}

absl::StatusOr<TxnResponse> ExecuteReadOnlyTxn(const TxnRequest& request, int64_t compact_revision,
                                               const View& view) {
  Path path;
  RETURN_IF_ERROR(FindPath(view, request, &path));
  TxnResponse response;
  Execution execution(view, compact_revision, nullptr, nullptr, path);
  RETURN_IF_ERROR(execution.Run(request, &response));
  response.mutable_header()->set_revision(view.revision());
  return response;
}

}  // namespace tikv::pd::meta
