#include "server/service/tikv_service.h"

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "lib/base/memcomparable.h"
#include "lib/base/status.h"
#include "server/service/unsupported.h"

namespace tikv::server {
namespace {

std::string Path(std::string_view name) { return fmt::format("/tikvpb.Tikv/{}", name); }

}  // namespace

template <class Request, class Response>
void TikvService::RegisterRaw(rpc::Server* server, std::string_view name, Method method) {
  rpc::Unary<Request, Response>(
      *server, Path(name),
      [this, method](const Request& request, const rpc::CallContext&,
                     rpc::Responder<Response> responder) {
        if (absl::Status s = deps_.gate->CheckCluster(request.context()); !s.ok()) {
          deps_.observer->OnFailed(method);
          return responder.Fail(std::move(s));
        }
        deps_.raw->Run(request, [this, method, start = deps_.clock->Now(),
                                 responder = std::move(responder)](Response response) mutable {
          deps_.observer->OnCall(method, deps_.clock->Now() - start);
          responder.Reply(response);
        });
      });
}

// Transactions are not served, but what a client's region cache learns from any request (region
// errors, API version) is told as usual; only then comes the refusal.
template <class Request, class Response>
void TikvService::RegisterTxn(rpc::Server* server, std::string_view name, Refusal refusal) {
  rpc::Unary<Request, Response>(
      *server, Path(name),
      [this, refusal, name = std::string(name)](const Request& request, const rpc::CallContext&,
                                                rpc::Responder<Response> responder) {
        deps_.observer->OnFailed(Method::kUnsupported);
        if (absl::Status s = deps_.gate->CheckCluster(request.context()); !s.ok()) {
          return responder.Fail(std::move(s));
        }
        if (const RawError error = deps_.gate->CheckTxn(name, request.context()); error) {
          Response response;
          SetAbort(error.AbortText(), &response);
          return responder.Reply(response);
        }
        engine_->AsyncRead(
            deps_.gate->Header(request.context()),
            [name, refusal, responder = std::move(responder)](ReadResult read) mutable {
              Response response;
              if (read.error) {
                response.set_allocated_region_error(read.error.Release());
              } else if (refusal == Refusal::kStatus) {
                return responder.Fail(Unimplemented("{}", NotSupportedText(name)));
              } else {
                SetAbort(NotSupportedText(name), &response);
              }
              responder.Reply(response);
            });
      });
}

void TikvService::Register(rpc::Server* server) {
  using namespace kvrpcpb;  // NOLINT: a table of message names.
  RegisterRaw<RawGetRequest, RawGetResponse>(server, "RawGet", Method::kRawGet);
  RegisterRaw<RawBatchGetRequest, RawBatchGetResponse>(server, "RawBatchGet", Method::kRawBatchGet);
  RegisterRaw<RawPutRequest, RawPutResponse>(server, "RawPut", Method::kRawPut);
  RegisterRaw<RawBatchPutRequest, RawBatchPutResponse>(server, "RawBatchPut", Method::kRawBatchPut);
  RegisterRaw<RawDeleteRequest, RawDeleteResponse>(server, "RawDelete", Method::kRawDelete);
  RegisterRaw<RawBatchDeleteRequest, RawBatchDeleteResponse>(server, "RawBatchDelete",
                                                             Method::kRawBatchDelete);
  RegisterRaw<RawDeleteRangeRequest, RawDeleteRangeResponse>(server, "RawDeleteRange",
                                                             Method::kRawDeleteRange);
  RegisterRaw<RawScanRequest, RawScanResponse>(server, "RawScan", Method::kRawScan);
  RegisterRaw<RawBatchScanRequest, RawBatchScanResponse>(server, "RawBatchScan",
                                                         Method::kRawBatchScan);
  RegisterRaw<RawGetKeyTTLRequest, RawGetKeyTTLResponse>(server, "RawGetKeyTTL",
                                                         Method::kRawGetKeyTtl);
  RegisterRaw<RawCASRequest, RawCASResponse>(server, "RawCompareAndSwap",
                                             Method::kRawCompareAndSwap);
  RegisterRaw<RawChecksumRequest, RawChecksumResponse>(server, "RawChecksum", Method::kRawChecksum);
  RegisterRaw<RawCoprocessorRequest, RawCoprocessorResponse>(server, "RawCoprocessor",
                                                             Method::kRawCoprocessor);
  RegisterTxn<GetRequest, GetResponse>(server, "KvGet", Refusal::kInReply);
  RegisterTxn<BatchGetRequest, BatchGetResponse>(server, "KvBatchGet", Refusal::kInReply);
  RegisterTxn<ScanRequest, ScanResponse>(server, "KvScan", Refusal::kInReply);
  RegisterTxn<PrewriteRequest, PrewriteResponse>(server, "KvPrewrite", Refusal::kStatus);
  RegisterTxn<CommitRequest, CommitResponse>(server, "KvCommit", Refusal::kStatus);
  RegisterRegionCalls(server);
  rpc::Stream<tikvpb::BatchCommandsRequest, tikvpb::BatchCommandsResponse>(
      *server, Path("BatchCommands"),
      [this](rpc::TypedStream<tikvpb::BatchCommandsResponse> stream, const rpc::CallContext&) {
        return std::make_unique<BatchStream>(std::move(stream), deps_);
      });
}

void TikvService::RegisterRegionCalls(rpc::Server* server) {
  rpc::Unary<kvrpcpb::SplitRegionRequest, kvrpcpb::SplitRegionResponse>(
      *server, Path("SplitRegion"),
      [this](const kvrpcpb::SplitRegionRequest& request, const rpc::CallContext&,
             rpc::Responder<kvrpcpb::SplitRegionResponse> responder) {
        SplitRegion(request, std::move(responder));
      });
  // Without transactions nothing has a safe time: 0 = unknown, which clients ignore.
  rpc::Unary<kvrpcpb::StoreSafeTSRequest, kvrpcpb::StoreSafeTSResponse>(
      *server, Path("GetStoreSafeTS"),
      [](const kvrpcpb::StoreSafeTSRequest&, const rpc::CallContext&,
         rpc::Responder<kvrpcpb::StoreSafeTSResponse> responder) {
        responder.Reply(kvrpcpb::StoreSafeTSResponse());
      });
  rpc::Unary<kvrpcpb::CheckLeaderRequest, kvrpcpb::CheckLeaderResponse>(
      *server, Path("CheckLeader"),
      [](const kvrpcpb::CheckLeaderRequest& request, const rpc::CallContext&,
         rpc::Responder<kvrpcpb::CheckLeaderResponse> responder) {
        kvrpcpb::CheckLeaderResponse response;
        response.set_ts(request.ts());
        responder.Reply(response);
      });
  rpc::Unary<kvrpcpb::GetHealthFeedbackRequest, kvrpcpb::GetHealthFeedbackResponse>(
      *server, Path("GetHealthFeedback"),
      [this](const kvrpcpb::GetHealthFeedbackRequest& request, const rpc::CallContext&,
             rpc::Responder<kvrpcpb::GetHealthFeedbackResponse> responder) {
        if (absl::Status s = deps_.gate->CheckCluster(request.context()); !s.ok()) {
          return responder.Fail(std::move(s));
        }
        kvrpcpb::GetHealthFeedbackResponse response;
        deps_.health->Fill(response.mutable_health_feedback());
        responder.Reply(response);
      });
}

void TikvService::SplitRegion(const kvrpcpb::SplitRegionRequest& request,
                              rpc::Responder<kvrpcpb::SplitRegionResponse> responder) {
  if (absl::Status s = deps_.gate->CheckCluster(request.context()); !s.ok()) {
    return responder.Fail(std::move(s));
  }
  // Boundaries are encoded keys, except for the raw API without keyspaces.
  const bool literal = request.is_raw_kv() && deps_.gate->storage_version() != ApiVersion::kV2;
  std::vector<std::string> keys;
  const auto add = [&](const std::string& key) {
    keys.push_back(literal ? key : EncodeMemcomparable(key));
  };
  for (const std::string& key : request.split_keys()) add(key);
  if (keys.empty() && !request.split_key().empty()) add(request.split_key());
  admin_->SplitRegion(deps_.gate->Header(request.context()), std::move(keys),
                      [this, start = deps_.clock->Now(),
                       responder = std::move(responder)](SplitResult result) mutable {
                        deps_.observer->OnCall(Method::kSplitRegion, deps_.clock->Now() - start);
                        kvrpcpb::SplitRegionResponse response;
                        if (result.error) {
                          response.set_allocated_region_error(result.error.Release());
                        } else if (result.regions.size() == 2) {
                          *response.mutable_left() = result.regions[0];
                          *response.mutable_right() = result.regions[1];
                        }
                        for (metapb::Region& region : result.regions)
                          *response.add_regions() = std::move(region);
                        responder.Reply(response);
                      });
}

}  // namespace tikv::server
