// Raw requests as they come over the wire: decode, check, hand to RawStorage, encode.  The unary
// RPCs and BatchCommands share it.
#pragma once

#include "lib/base/callback.h"
#include "proto/kvrpcpb.pb.h"
#include "server/service/request_gate.h"
#include "server/storage/raw/raw_storage.h"

namespace tikv::server {

// Thread-safe.  Whoever calls has checked the cluster id.  The request must live until the call
// returns; `done` runs once, inside the call or on another thread, and must not block.
class RawCommands {
 public:
  RawCommands(const RequestGate* gate, RawStorage* storage) : gate_(gate), storage_(storage) {}

  void Run(const kvrpcpb::RawGetRequest& request, Callback<kvrpcpb::RawGetResponse> done);
  void Run(const kvrpcpb::RawBatchGetRequest& request, Callback<kvrpcpb::RawBatchGetResponse> done);
  void Run(const kvrpcpb::RawPutRequest& request, Callback<kvrpcpb::RawPutResponse> done);
  void Run(const kvrpcpb::RawBatchPutRequest& request, Callback<kvrpcpb::RawBatchPutResponse> done);
  void Run(const kvrpcpb::RawDeleteRequest& request, Callback<kvrpcpb::RawDeleteResponse> done);
  void Run(const kvrpcpb::RawBatchDeleteRequest& request,
           Callback<kvrpcpb::RawBatchDeleteResponse> done);
  void Run(const kvrpcpb::RawDeleteRangeRequest& request,
           Callback<kvrpcpb::RawDeleteRangeResponse> done);
  void Run(const kvrpcpb::RawScanRequest& request, Callback<kvrpcpb::RawScanResponse> done);
  void Run(const kvrpcpb::RawBatchScanRequest& request,
           Callback<kvrpcpb::RawBatchScanResponse> done);
  void Run(const kvrpcpb::RawGetKeyTTLRequest& request,
           Callback<kvrpcpb::RawGetKeyTTLResponse> done);
  void Run(const kvrpcpb::RawCASRequest& request, Callback<kvrpcpb::RawCASResponse> done);
  void Run(const kvrpcpb::RawChecksumRequest& request, Callback<kvrpcpb::RawChecksumResponse> done);
  void Run(const kvrpcpb::RawCoprocessorRequest& request,
           Callback<kvrpcpb::RawCoprocessorResponse> done);

 private:
  const RequestGate* const gate_;
  RawStorage* const storage_;
};

}  // namespace tikv::server
