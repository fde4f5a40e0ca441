// etcdserverpb.KV.
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/mvcc/checks.h"
#include "pd/meta/mvcc/range.h"
#include "pd/meta/mvcc/txn.h"
#include "pd/meta/mvcc/view.h"
#include "pd/service/etcd/context.h"

namespace tikv::pd::etcd {
namespace {

using namespace etcdserverpb;
using meta::CommandType;

absl::StatusOr<RangeResponse> ReadRange(EtcdContext* context, const RangeRequest& request) {
  auto state = context->store->machine().TakeSnapshot();
  ASSIGN_OR_RETURN(int64_t revision, state.Resolve(request.revision()));
  ASSIGN_OR_RETURN(RangeResponse response,
                   meta::ExecuteRange(meta::View(*state.snapshot, revision), request));
  response.mutable_header()->set_revision(state.revision);
  context->store->FillHeader(response.mutable_header());
  return response;
}

absl::StatusOr<TxnResponse> ReadTxn(EtcdContext* context, const TxnRequest& request) {
  auto state = context->store->machine().TakeSnapshot();
  ASSIGN_OR_RETURN(TxnResponse response,
                   meta::ExecuteReadOnlyTxn(request, state.compact_revision,
                                            meta::View(*state.snapshot, state.revision)));
  context->store->FillHeader(response.mutable_header());
  return response;
}

bool IsSerializable(const TxnRequest& request) {
  auto all = [](const auto& branch) {
    return std::all_of(branch.begin(), branch.end(), [](const RequestOp& op) {
      return op.has_request_range() && op.request_range().serializable();
    });
  };
  return all(request.success()) && all(request.failure());
}

}  // namespace

void RegisterKv(EtcdContext* context, rpc::Server& server, http::Router& router) {
  Serve<RangeRequest, RangeResponse>(
      server, router, "/etcdserverpb.KV/Range", "/v3/kv/range",
      [context](const RangeRequest& request, Reply<RangeResponse> reply) {
        if (absl::Status bad = meta::CheckRange(request); !bad.ok()) return std::move(reply)(bad);
        ReadWhenReady(context, request.serializable(),
                      [context, request, reply = std::move(reply)](absl::Status ready) mutable {
                        if (!ready.ok()) return std::move(reply)(ready);
                        std::move(reply)(ReadRange(context, request));
                      });
      });
  Serve<PutRequest, PutResponse>(server, router, "/etcdserverpb.KV/Put", "/v3/kv/put",
                                 [context](const PutRequest& request, Reply<PutResponse> reply) {
                                   if (absl::Status bad = meta::CheckPut(request); !bad.ok())
                                     return std::move(reply)(bad);
                                   Submit<PutResponse>(context, CommandType::kPut, request,
                                                       std::move(reply));
                                 });
  Serve<DeleteRangeRequest, DeleteRangeResponse>(
      server, router, "/etcdserverpb.KV/DeleteRange", "/v3/kv/deleterange",
      [context](const DeleteRangeRequest& request, Reply<DeleteRangeResponse> reply) {
        if (absl::Status bad = meta::CheckDelete(request); !bad.ok()) return std::move(reply)(bad);
        Submit<DeleteRangeResponse>(context, CommandType::kDeleteRange, request, std::move(reply));
      });
  Serve<TxnRequest, TxnResponse>(
      server, router, "/etcdserverpb.KV/Txn", "/v3/kv/txn",
      [context](const TxnRequest& request, Reply<TxnResponse> reply) {
        if (absl::Status bad = meta::CheckTxn(request); !bad.ok()) return std::move(reply)(bad);
        if (!meta::IsReadOnly(request)) {
          return Submit<TxnResponse>(context, CommandType::kTxn, request, std::move(reply));
        }
        ReadWhenReady(context, IsSerializable(request),
                      [context, request, reply = std::move(reply)](absl::Status ready) mutable {
                        if (!ready.ok()) return std::move(reply)(ready);
                        std::move(reply)(ReadTxn(context, request));
                      });
      });
  Serve<CompactionRequest, CompactionResponse>(
      server, router, "/etcdserverpb.KV/Compact", "/v3/kv/compaction",
      [context](const CompactionRequest& request, Reply<CompactionResponse> reply) {
        Submit<CompactionResponse>(context, CommandType::kCompaction, request, std::move(reply));
      });
}

}  // namespace tikv::pd::etcd
