#include "server/node/service_metrics.h"

#include <chrono>

namespace tikv::server {

using metrics::ExponentialBounds;

ServiceMetrics::ServiceMetrics(metrics::Registry* registry)
    : batch_requests_(&registry->AddHistogram("tikv_server_grpc_req_batch_size",
                                              "Commands per received batch.",
                                              ExponentialBounds(1, 2, 12))),
      batch_responses_(&registry->AddHistogram("tikv_server_grpc_resp_batch_size",
                                               "Replies per sent batch.",
                                               ExponentialBounds(1, 2, 12))) {
  auto& durations = registry->AddHistogramFamily(
      "tikv_grpc_msg_duration_seconds", "Time from decoding a request to its answer.",
      {"type", "priority"}, ExponentialBounds(0.00005, 2, 20));
  auto& failures =
      registry->AddCounterFamily("tikv_grpc_msg_fail_total", "Refused calls.", {"type"});
  auto& commands =
      registry->AddCounterFamily("tikv_storage_command_total", "Served commands.", {"type"});
  for (size_t i = 0; i < kMethodCount; ++i) {
    const std::string_view label = MethodLabel(static_cast<Method>(i));
    methods_[i] = {&durations.With({label, "medium"}), &failures.With({label}),
                   &commands.With({label})};
  }
}

void ServiceMetrics::OnCall(Method method, Duration took) {
  Handles& handles = methods_[static_cast<size_t>(method)];
  handles.duration->Observe(std::chrono::duration<double>(took).count());
  handles.commands->Add();
}

void ServiceMetrics::OnFailed(Method method) {
  methods_[static_cast<size_t>(method)].failed->Add();
}

void ServiceMetrics::OnBatchRequest(size_t commands) {
  batch_requests_->Observe(static_cast<double>(commands));
}

void ServiceMetrics::OnBatchResponse(size_t replies) {
  batch_responses_->Observe(static_cast<double>(replies));
}

}  // namespace tikv::server
