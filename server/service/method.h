// The calls of tikvpb.Tikv that have a metric of their own.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "lib/env/clock.h"

namespace tikv::server {

// What a call is counted as.
enum class Method : uint8_t {
  kRawGet,
  kRawBatchGet,
  kRawPut,
  kRawBatchPut,
  kRawDelete,
  kRawBatchDelete,
  kRawDeleteRange,
  kRawScan,
  kRawBatchScan,
  kRawGetKeyTtl,
  kRawCompareAndSwap,
  kRawChecksum,
  kRawCoprocessor,
  kSplitRegion,
  kCheckLeader,
  kGetHealthFeedback,
  kUnsupported,  // Transactions and coprocessor.
  kCount,
};

inline constexpr size_t kMethodCount = static_cast<size_t>(Method::kCount);

// The label `type` of tikv_grpc_msg_duration_seconds, as the original's dashboards expect it.
constexpr std::string_view MethodLabel(Method method) {
  constexpr std::array<std::string_view, kMethodCount> labels = {"raw_get",
                                                                 "raw_batch_get",
                                                                 "raw_put",
                                                                 "raw_batch_put",
                                                                 "raw_delete",
                                                                 "raw_batch_delete",
                                                                 "raw_delete_range",
                                                                 "raw_scan",
                                                                 "raw_batch_scan",
                                                                 "raw_get_key_ttl",
                                                                 "raw_compare_and_swap",
                                                                 "raw_checksum",
                                                                 "raw_coprocessor",
                                                                 "split_region",
                                                                 "check_leader",
                                                                 "get_health_feedback",
                                                                 "unsupported"};
  return labels[static_cast<size_t>(method)];
}

// Where services count what they do.  Thread-safe, cheap: called once per request.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void OnCall(Method method, Duration took) = 0;
  virtual void OnFailed(Method method) = 0;
  virtual void OnBatchRequest(size_t commands) = 0;
  virtual void OnBatchResponse(size_t replies) = 0;
};

}  // namespace tikv::server
