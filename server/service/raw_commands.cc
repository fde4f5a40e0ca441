#include "server/service/raw_commands.h"

#include <utility>
#include <vector>

namespace tikv::server {
namespace {

// Region errors have their field; other errors go into the text field where the reply has one, and
// else into the only pair's error.
template <class Response>
void SetError(RawError error, Response* response) {
  if (error.is_region()) {
    response->set_allocated_region_error(error.region().Release());
  } else if constexpr (requires { response->set_error(std::string()); }) {
    response->set_error(error.text());
  } else if constexpr (requires { response->add_kvs(); }) {
    response->add_kvs()->mutable_error()->set_abort(error.AbortText());
  } else {
    response->add_pairs()->mutable_error()->set_abort(error.AbortText());
  }
}

template <class Response>
void Fail(RawError error, Callback<Response> done) {
  Response response;
  SetError(std::move(error), &response);
  std::move(done)(std::move(response));
}

// The first error of checks made in order.
template <class... Checks>
RawError FirstError(Checks... checks) {
  RawError error;
  (void)((error = checks(), static_cast<bool>(error)) || ...);
  return error;
}

template <class Response>
Callback<RawError> AnswerStatus(Callback<Response> done) {
  return [done = std::move(done)](RawError error) mutable {
    Response response;
    if (error) SetError(std::move(error), &response);
    std::move(done)(std::move(response));
  };
}

template <class Response>
Callback<RawPairsResult> AnswerPairs(Callback<Response> done) {
  return [done = std::move(done)](RawPairsResult result) mutable {
    Response response;
    if (result.error) {
      SetError(std::move(result.error), &response);
    } else {
      for (auto& [key, value] : result.pairs) {
        kvrpcpb::KvPair* pair;
        if constexpr (requires { response.add_kvs(); }) {
          pair = response.add_kvs();
        } else {
          pair = response.add_pairs();
        }
        pair->set_key(std::move(key));
        pair->set_value(std::move(value));
      }
    }
    std::move(done)(std::move(response));
  };
}

std::vector<RawRange> RangesOf(
    const google::protobuf::RepeatedPtrField<kvrpcpb::KeyRange>& ranges) {
  std::vector<RawRange> out;
  out.reserve(ranges.size());
  for (const kvrpcpb::KeyRange& range : ranges) out.push_back({range.start_key(), range.end_key()});
  return out;
}

RawError CheckKeys(const RequestGate& gate, std::string_view command,
                   const google::protobuf::RepeatedPtrField<std::string>& keys) {
  for (const std::string& key : keys) {
    if (RawError e = gate.CheckRawKey(command, key)) return e;
  }
  return {};
}

RawError CheckRanges(const RequestGate& gate, std::string_view command,
                     const google::protobuf::RepeatedPtrField<kvrpcpb::KeyRange>& ranges) {
  for (const kvrpcpb::KeyRange& range : ranges) {
    if (RawError e = gate.CheckRawRange(command, range.start_key(), range.end_key())) return e;
  }
  return {};
}

std::vector<std::string_view> Views(const google::protobuf::RepeatedPtrField<std::string>& keys) {
  return {keys.begin(), keys.end()};
}

// One ttl for all, one each, or (older clients) the single field.
RawError TtlsOf(const kvrpcpb::RawBatchPutRequest& request, std::vector<RawPair>* pairs) {
  const auto& ttls = request.ttls();
  if (ttls.size() > 1 && ttls.size() != request.pairs_size()) return RawError::TtlCountMismatch();
  for (int i = 0; i < request.pairs_size(); ++i) {
    uint64_t ttl = request.ttl();
    if (ttls.size() == 1) ttl = ttls[0];
    if (ttls.size() > 1) ttl = ttls[i];
    pairs->push_back({request.pairs(i).key(), request.pairs(i).value(), ttl});
  }
  return {};
}

}  // namespace

void RawCommands::Run(const kvrpcpb::RawGetRequest& request,
                      Callback<kvrpcpb::RawGetResponse> done) {
  RawError error = FirstError([&] { return gate_->CheckRaw("RawGet", request.context()); },
                              [&] { return gate_->CheckRawKey("RawGet", request.key()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->Get(gate_->Header(request.context()), request.cf(), request.key(),
                [done = std::move(done)](RawGetResult result) mutable {
                  kvrpcpb::RawGetResponse response;
                  if (result.error) {
                    SetError(std::move(result.error), &response);
                  } else if (result.found) {
                    response.set_value(std::move(result.value));
                  } else {
                    response.set_not_found(true);
                  }
                  std::move(done)(std::move(response));
                });
}

void RawCommands::Run(const kvrpcpb::RawGetKeyTTLRequest& request,
                      Callback<kvrpcpb::RawGetKeyTTLResponse> done) {
  constexpr std::string_view kName = "RawGetKeyTTL";
  RawError error = FirstError([&] { return gate_->CheckRaw(kName, request.context()); },
                              [&] { return gate_->CheckRawKey(kName, request.key()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->GetTtl(gate_->Header(request.context()), request.cf(), request.key(),
                   [done = std::move(done)](RawGetResult result) mutable {
                     kvrpcpb::RawGetKeyTTLResponse response;
                     if (result.error) {
                       SetError(std::move(result.error), &response);
                     } else if (result.found) {
                       response.set_ttl(result.ttl_seconds);
                     } else {
                       response.set_not_found(true);
                     }
                     std::move(done)(std::move(response));
                   });
}

void RawCommands::Run(const kvrpcpb::RawBatchGetRequest& request,
                      Callback<kvrpcpb::RawBatchGetResponse> done) {
  constexpr std::string_view kName = "RawBatchGet";
  RawError error = FirstError([&] { return gate_->CheckRaw(kName, request.context()); },
                              [&] { return CheckKeys(*gate_, kName, request.keys()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->BatchGet(gate_->Header(request.context()), request.cf(), Views(request.keys()),
                     AnswerPairs(std::move(done)));
}

void RawCommands::Run(const kvrpcpb::RawPutRequest& request,
                      Callback<kvrpcpb::RawPutResponse> done) {
  RawError error = FirstError([&] { return gate_->CheckRaw("RawPut", request.context()); },
                              [&] { return gate_->CheckRawKey("RawPut", request.key()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->Put(gate_->Header(request.context()), request.cf(),
                {{request.key(), request.value(), request.ttl()}}, request.for_cas(),
                AnswerStatus(std::move(done)));
}

void RawCommands::Run(const kvrpcpb::RawBatchPutRequest& request,
                      Callback<kvrpcpb::RawBatchPutResponse> done) {
  constexpr std::string_view kName = "RawBatchPut";
  std::vector<RawPair> pairs;
  RawError error = FirstError([&] { return gate_->CheckRaw(kName, request.context()); },
                              [&] { return TtlsOf(request, &pairs); });
  for (const RawPair& pair : pairs) {
    if (!error) error = gate_->CheckRawKey(kName, pair.key);
  }
  if (error) return Fail(std::move(error), std::move(done));
  storage_->Put(gate_->Header(request.context()), request.cf(), pairs, request.for_cas(),
                AnswerStatus(std::move(done)));
}

void RawCommands::Run(const kvrpcpb::RawDeleteRequest& request,
                      Callback<kvrpcpb::RawDeleteResponse> done) {
  RawError error = FirstError([&] { return gate_->CheckRaw("RawDelete", request.context()); },
                              [&] { return gate_->CheckRawKey("RawDelete", request.key()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->Delete(gate_->Header(request.context()), request.cf(), {request.key()},
                   request.for_cas(), AnswerStatus(std::move(done)));
}

void RawCommands::Run(const kvrpcpb::RawBatchDeleteRequest& request,
                      Callback<kvrpcpb::RawBatchDeleteResponse> done) {
  constexpr std::string_view kName = "RawBatchDelete";
  RawError error = FirstError([&] { return gate_->CheckRaw(kName, request.context()); },
                              [&] { return CheckKeys(*gate_, kName, request.keys()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->Delete(gate_->Header(request.context()), request.cf(), Views(request.keys()),
                   request.for_cas(), AnswerStatus(std::move(done)));
}

void RawCommands::Run(const kvrpcpb::RawDeleteRangeRequest& request,
                      Callback<kvrpcpb::RawDeleteRangeResponse> done) {
  constexpr std::string_view kName = "RawDeleteRange";
  RawError error = FirstError(
      [&] { return gate_->CheckRaw(kName, request.context()); },
      [&] { return gate_->CheckRawRange(kName, request.start_key(), request.end_key()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->DeleteRange(gate_->Header(request.context()), request.cf(), request.start_key(),
                        request.end_key(), AnswerStatus(std::move(done)));
}

void RawCommands::Run(const kvrpcpb::RawScanRequest& request,
                      Callback<kvrpcpb::RawScanResponse> done) {
  RawError error = FirstError(
      [&] { return gate_->CheckRaw("RawScan", request.context()); },
      [&] { return gate_->CheckRawRange("RawScan", request.start_key(), request.end_key()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->Scan(
      gate_->Header(request.context()), request.cf(), {request.start_key(), request.end_key()},
      {request.limit(), request.key_only(), request.reverse()}, AnswerPairs(std::move(done)));
}

void RawCommands::Run(const kvrpcpb::RawBatchScanRequest& request,
                      Callback<kvrpcpb::RawBatchScanResponse> done) {
  constexpr std::string_view kName = "RawBatchScan";
  RawError error = FirstError([&] { return gate_->CheckRaw(kName, request.context()); },
                              [&] { return CheckRanges(*gate_, kName, request.ranges()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->BatchScan(gate_->Header(request.context()), request.cf(), RangesOf(request.ranges()),
                      {request.each_limit(), request.key_only(), request.reverse()},
                      AnswerPairs(std::move(done)));
}

void RawCommands::Run(const kvrpcpb::RawCASRequest& request,
                      Callback<kvrpcpb::RawCASResponse> done) {
  constexpr std::string_view kName = "RawCompareAndSwap";
  RawError error = FirstError([&] { return gate_->CheckRaw(kName, request.context()); },
                              [&] { return gate_->CheckRawKey(kName, request.key()); });
  if (error) return Fail(std::move(error), std::move(done));
  RawSwap swap{request.key(),
               request.value(),
               request.ttl(),
               request.previous_not_exist(),
               request.previous_value(),
               request.delete_()};
  storage_->CompareAndSwap(gate_->Header(request.context()), request.cf(), std::move(swap),
                           [done = std::move(done)](RawSwapResult result) mutable {
                             kvrpcpb::RawCASResponse response;
                             if (result.error) {
                               SetError(std::move(result.error), &response);
                             } else {
                               response.set_succeed(result.swapped);
                               response.set_previous_not_exist(!result.previous_exists);
                               response.set_previous_value(std::move(result.previous));
                             }
                             std::move(done)(std::move(response));
                           });
}

void RawCommands::Run(const kvrpcpb::RawChecksumRequest& request,
                      Callback<kvrpcpb::RawChecksumResponse> done) {
  constexpr std::string_view kName = "RawChecksum";
  RawError error = FirstError([&] { return gate_->CheckRaw(kName, request.context()); },
                              [&] { return CheckRanges(*gate_, kName, request.ranges()); });
  if (error) return Fail(std::move(error), std::move(done));
  storage_->Checksum(gate_->Header(request.context()), RangesOf(request.ranges()),
                     [done = std::move(done)](RawDigestResult result) mutable {
                       kvrpcpb::RawChecksumResponse response;
                       if (result.error) {
                         SetError(std::move(result.error), &response);
                       } else {
                         response.set_checksum(result.digest.crc64_xor);
                         response.set_total_kvs(result.digest.pairs);
                         response.set_total_bytes(result.digest.bytes);
                       }
                       std::move(done)(std::move(response));
                     });
}

void RawCommands::Run(const kvrpcpb::RawCoprocessorRequest& request,
                      Callback<kvrpcpb::RawCoprocessorResponse> done) {
  kvrpcpb::RawCoprocessorResponse response;
  response.set_error(fmt::format("no coprocessor plugin named {} is loaded", request.copr_name()));
  std::move(done)(std::move(response));
}

}  // namespace tikv::server
