// The raw calls: their messages, paths and places inside BatchCommands.
#pragma once

#include <string_view>

#include "client/driver/ports.h"
#include "proto/kvrpcpb.pb.h"

namespace tikv::client {

// A call that travels inside BatchCommands.  `field` is the lower-case name of its oneof member.
#define TIKV_BATCHED_METHOD(Name, field)                                                 \
  struct Name##Method {                                                                  \
    using Request = kvrpcpb::Name##Request;                                              \
    using Response = kvrpcpb::Name##Response;                                            \
    static constexpr bool kBatched = true;                                               \
    static constexpr bool kIdempotent = true;                                            \
    static Request* In(StoreTransport::BatchRequest* b) { return b->mutable_##field(); } \
    static Response* Out(StoreTransport::BatchResponse* b) {                             \
      return b->has_##field() ? b->mutable_##field() : nullptr;                          \
    }                                                                                    \
  }
TIKV_BATCHED_METHOD(RawGet, rawget);
TIKV_BATCHED_METHOD(RawBatchGet, rawbatchget);
TIKV_BATCHED_METHOD(RawPut, rawput);
TIKV_BATCHED_METHOD(RawBatchPut, rawbatchput);
TIKV_BATCHED_METHOD(RawDelete, rawdelete);
TIKV_BATCHED_METHOD(RawBatchDelete, rawbatchdelete);
TIKV_BATCHED_METHOD(RawScan, rawscan);
TIKV_BATCHED_METHOD(RawDeleteRange, rawdeleterange);
#undef TIKV_BATCHED_METHOD

// A call of its own.
#define TIKV_UNARY_METHOD(Name, type, idempotent)                    \
  struct Name##Method {                                              \
    using Request = kvrpcpb::type##Request;                          \
    using Response = kvrpcpb::type##Response;                        \
    static constexpr bool kBatched = false;                          \
    static constexpr bool kIdempotent = idempotent;                  \
    static constexpr std::string_view kPath = "/tikvpb.Tikv/" #Name; \
  }
TIKV_UNARY_METHOD(RawCompareAndSwap, RawCAS, false);
TIKV_UNARY_METHOD(RawGetKeyTTL, RawGetKeyTTL, true);
TIKV_UNARY_METHOD(RawChecksum, RawChecksum, true);
#undef TIKV_UNARY_METHOD

}  // namespace tikv::client
