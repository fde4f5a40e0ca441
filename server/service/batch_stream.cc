#include "server/service/batch_stream.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/service/unsupported.h"

namespace tikv::server {

using tikvpb::BatchCommandsRequest;

BatchStream::BatchStream(rpc::TypedStream<tikvpb::BatchCommandsResponse> stream,
                         const BatchDependencies& deps)
    : deps_(deps), replies_(std::make_shared<BatchReplies>(std::move(stream), deps)) {}

BatchStream::~BatchStream() = default;

void BatchStream::OnMessage(const BatchCommandsRequest& message) {
  // Ids without a request are ignored; a request without an id could not be answered.
  const int count = std::min(message.requests_size(), message.request_ids_size());
  deps_.observer->OnBatchRequest(static_cast<size_t>(count));
  replies_->BeginMessage(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    absl::Status status = Dispatch(message.requests(i), message.request_ids(i));
    if (!status.ok()) return replies_->Fail(std::move(status));
  }
  replies_->EndMessage();
}

void BatchStream::OnHalfClose() { replies_->HalfClose(); }

void BatchStream::OnDrained() { replies_->OnDrained(); }

void BatchStream::OnClosed(const absl::Status&) { replies_->Abandon(); }

template <class Response, class Command, class Slot>
absl::Status BatchStream::RunRaw(Method method, const Command& command, uint64_t id, Slot slot) {
  if (absl::Status s = deps_.gate->CheckCluster(command.context()); !s.ok()) return s;
  deps_.raw->Run(command, [replies = replies_, id, slot, method, observer = deps_.observer,
                           clock = deps_.clock, start = deps_.clock->Now()](Response response) {
    observer->OnCall(method, clock->Now() - start);
    const size_t bytes = response.ByteSizeLong();
    replies->Add(id, bytes, [&](Reply* reply) { *slot(reply) = std::move(response); });
  });
  return absl::OkStatus();
}

template <class Response, class Command, class Slot>
absl::Status BatchStream::Refuse(std::string_view name, const Command& command, uint64_t id,
                                 Slot slot) {
  if (absl::Status s = deps_.gate->CheckCluster(command.context()); !s.ok()) return s;
  deps_.observer->OnFailed(Method::kUnsupported);
  replies_->Add(id, 0, [&](Reply* reply) {
    const RawError error = deps_.gate->CheckTxn(name, command.context());
    SetAbort(error ? error.AbortText() : NotSupportedText(name), slot(reply));
  });
  return absl::OkStatus();
}

void BatchStream::RunEmpty(const tikvpb::BatchCommandsEmptyRequest& command, uint64_t id) {
  auto answer = [replies = replies_, id, test_id = command.test_id()] {
    replies->Add(id, 0, [&](Reply* reply) { reply->mutable_empty()->set_test_id(test_id); });
  };
  if (command.delay_time() == 0) return answer();
  constexpr uint64_t kMaxDelayMs = 60'000;
  const std::chrono::milliseconds delay(std::min(command.delay_time(), kMaxDelayMs));
  deps_.completions->PostAfter(delay, std::move(answer));
}

void BatchStream::RunHealthFeedback(uint64_t id) {
  replies_->Add(id, 0, [&](Reply* reply) {
    deps_.health->Fill(reply->mutable_gethealthfeedback()->mutable_health_feedback());
  });
}

// One line per command: its reply type, its field in the request and its field in the reply.
#define RAW_COMMAND(Name, field, kMethod)                                \
  case Request::k##Name:                                                 \
    return RunRaw<kvrpcpb::Name##Response>(kMethod, request.field(), id, \
                                           [](Reply* r) { return r->mutable_##field(); });
#define REFUSED_COMMAND(Name, field, Type) \
  case Request::k##Name:                   \
    return Refuse<Type>(#Name, request.field(), id, [](Reply* r) { return r->mutable_##field(); });

absl::Status BatchStream::Dispatch(const Request& request, uint64_t id) {
  switch (request.cmd_case()) {
    RAW_COMMAND(RawGet, rawget, Method::kRawGet)
    RAW_COMMAND(RawBatchGet, rawbatchget, Method::kRawBatchGet)
    RAW_COMMAND(RawPut, rawput, Method::kRawPut)
    RAW_COMMAND(RawBatchPut, rawbatchput, Method::kRawBatchPut)
    RAW_COMMAND(RawDelete, rawdelete, Method::kRawDelete)
    RAW_COMMAND(RawBatchDelete, rawbatchdelete, Method::kRawBatchDelete)
    RAW_COMMAND(RawScan, rawscan, Method::kRawScan)
    RAW_COMMAND(RawDeleteRange, rawdeleterange, Method::kRawDeleteRange)
    RAW_COMMAND(RawBatchScan, rawbatchscan, Method::kRawBatchScan)
    RAW_COMMAND(RawCoprocessor, rawcoprocessor, Method::kRawCoprocessor)
    REFUSED_COMMAND(Get, get, kvrpcpb::GetResponse)
    REFUSED_COMMAND(Scan, scan, kvrpcpb::ScanResponse)
    REFUSED_COMMAND(Prewrite, prewrite, kvrpcpb::PrewriteResponse)
    REFUSED_COMMAND(Commit, commit, kvrpcpb::CommitResponse)
    REFUSED_COMMAND(Cleanup, cleanup, kvrpcpb::CleanupResponse)
    REFUSED_COMMAND(BatchGet, batchget, kvrpcpb::BatchGetResponse)
    REFUSED_COMMAND(BatchRollback, batchrollback, kvrpcpb::BatchRollbackResponse)
    REFUSED_COMMAND(ScanLock, scanlock, kvrpcpb::ScanLockResponse)
    REFUSED_COMMAND(ResolveLock, resolvelock, kvrpcpb::ResolveLockResponse)
    REFUSED_COMMAND(GC, gc, kvrpcpb::GCResponse)
    REFUSED_COMMAND(DeleteRange, deleterange, kvrpcpb::DeleteRangeResponse)
    REFUSED_COMMAND(Coprocessor, coprocessor, coprocessor::Response)
    REFUSED_COMMAND(PessimisticLock, pessimisticlock, kvrpcpb::PessimisticLockResponse)
    REFUSED_COMMAND(PessimisticRollback, pessimisticrollback, kvrpcpb::PessimisticRollbackResponse)
    REFUSED_COMMAND(CheckTxnStatus, checktxnstatus, kvrpcpb::CheckTxnStatusResponse)
    REFUSED_COMMAND(TxnHeartBeat, txnheartbeat, kvrpcpb::TxnHeartBeatResponse)
    REFUSED_COMMAND(CheckSecondaryLocks, checksecondarylocks, kvrpcpb::CheckSecondaryLocksResponse)
    REFUSED_COMMAND(FlashbackToVersion, flashbacktoversion, kvrpcpb::FlashbackToVersionResponse)
    REFUSED_COMMAND(PrepareFlashbackToVersion, prepareflashbacktoversion,
                    kvrpcpb::PrepareFlashbackToVersionResponse)
    REFUSED_COMMAND(Flush, flush, kvrpcpb::FlushResponse)
    REFUSED_COMMAND(BufferBatchGet, bufferbatchget, kvrpcpb::BufferBatchGetResponse)
    REFUSED_COMMAND(BroadcastTxnStatus, broadcasttxnstatus, kvrpcpb::BroadcastTxnStatusResponse)
    case Request::kImport:
      replies_->Add(id, 0, [](Reply* reply) {
        reply->mutable_import()->set_error(NotSupportedText("Import"));
      });
      return absl::OkStatus();
    case Request::kGetHealthFeedback:
      RunHealthFeedback(id);
      return absl::OkStatus();
    case Request::kEmpty:
      RunEmpty(request.empty(), id);
      return absl::OkStatus();
    case Request::CMD_NOT_SET:
      // A command of a newer client: an unset reply tells that it was not understood.
      replies_->Add(id, 0, [](Reply*) {});
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

#undef RAW_COMMAND
#undef REFUSED_COMMAND

}  // namespace tikv::server
