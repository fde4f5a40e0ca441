// Counts calls under the names of TiKV's dashboards.
#pragma once

#include <array>

#include "lib/metrics/metrics.h"
#include "server/service/method.h"

namespace tikv::server {

// Handles are made once, so that counting a call takes no lock.  Thread-safe; the registry must
// outlive it.
class ServiceMetrics : public CallObserver {
 public:
  explicit ServiceMetrics(metrics::Registry* registry);

  void OnCall(Method method, Duration took) override;
  void OnFailed(Method method) override;
  void OnBatchRequest(size_t commands) override;
  void OnBatchResponse(size_t replies) override;
  // An atomic raw command has waited so long for its keys.
  void OnLatched(Duration wait);
  // Commands served since the start.
  uint64_t Served(Method method) const {
    return methods_[static_cast<size_t>(method)].commands->value();
  }

 private:
  struct Handles {
    metrics::Histogram* duration = nullptr;  // tikv_grpc_msg_duration_seconds
    metrics::Counter* failed = nullptr;      // tikv_grpc_msg_fail_total
    metrics::Counter* commands = nullptr;    // tikv_storage_command_total
    // Of the requests behind the command, by kind (read or write); null where there is none.
    metrics::Histogram* engine_duration = nullptr;
    metrics::Counter* engine_requests = nullptr;
    // Of what takes latches, which the original calls the scheduler; null elsewhere.
    metrics::Histogram* scheduled_duration = nullptr;
    metrics::Counter* scheduled_begun = nullptr;
    metrics::Counter* scheduled_written = nullptr;
  };

  void AddEngineRequests(metrics::Registry* registry);
  void AddScheduler(metrics::Registry* registry);

  std::array<Handles, kMethodCount> methods_;
  metrics::Histogram* latch_wait_ = nullptr;
  metrics::Counter* scheduled_ = nullptr;
  metrics::Histogram* batch_requests_;
  metrics::Histogram* batch_responses_;
};

}  // namespace tikv::server
