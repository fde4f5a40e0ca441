#include "server/node/service_metrics.h"

#include <chrono>

namespace tikv::server {

using metrics::ExponentialBounds;

namespace {

// What the original calls the request that a command makes to the regions; "" = none.
std::string_view EngineRequest(Method method) {
  switch (method) {
    case Method::kRawGet:
    case Method::kRawBatchGet:
    case Method::kRawScan:
    case Method::kRawBatchScan:
    case Method::kRawGetKeyTtl:
    case Method::kRawChecksum:
      return "snapshot";
    case Method::kRawPut:
    case Method::kRawBatchPut:
    case Method::kRawDelete:
    case Method::kRawBatchDelete:
    case Method::kRawDeleteRange:
    case Method::kRawCompareAndSwap:
      return "write";
    default:
      return "";
  }
}

}  // namespace

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
    methods_[i].duration = &durations.With({label, "medium"});
    methods_[i].failed = &failures.With({label});
    methods_[i].commands = &commands.With({label});
  }
  AddEngineRequests(registry);
  AddScheduler(registry);
}

void ServiceMetrics::AddEngineRequests(metrics::Registry* registry) {
  auto& requests = registry->AddCounterFamily("tikv_storage_engine_async_request_total",
                                              "Reads and writes of regions.", {"type", "status"});
  auto& durations = registry->AddHistogramFamily(
      "tikv_storage_engine_async_request_duration_seconds", "Time of reads and writes of regions.",
      {"type"}, ExponentialBounds(0.00001, 2, 22));
  for (size_t i = 0; i < kMethodCount; ++i) {
    const std::string_view kind = EngineRequest(static_cast<Method>(i));
    if (kind.empty()) continue;
    methods_[i].engine_requests = &requests.With({kind, "all"});
    methods_[i].engine_duration = &durations.With({kind});
  }
}

void ServiceMetrics::AddScheduler(metrics::Registry* registry) {
  constexpr std::string_view kType = "raw_compare_and_swap";
  const std::vector<double> bounds = ExponentialBounds(0.00001, 2, 22);
  Handles& swap = methods_[static_cast<size_t>(Method::kRawCompareAndSwap)];
  swap.scheduled_duration =
      &registry
           ->AddHistogramFamily("tikv_scheduler_command_duration_seconds",
                                "Time of commands that take latches.", {"type"}, bounds)
           .With({kType});
  auto& stages = registry->AddCounterFamily(
      "tikv_scheduler_stage_total", "Stages of commands that take latches.", {"type", "stage"});
  swap.scheduled_begun = &stages.With({kType, "new"});
  swap.scheduled_written = &stages.With({kType, "write_finish"});
  scheduled_ = &registry
                    ->AddCounterFamily("tikv_scheduler_commands_pri_total",
                                       "Commands that take latches.", {"priority"})
                    .With({"normal"});
  latch_wait_ =
      &registry
           ->AddHistogramFamily("tikv_scheduler_latch_wait_duration_seconds",
                                "Time that commands wait for their keys.", {"type"}, bounds)
           .With({kType});
}

void ServiceMetrics::OnLatched(Duration wait) {
  latch_wait_->Observe(std::chrono::duration<double>(wait).count());
}

void ServiceMetrics::OnCall(Method method, Duration took) {
  Handles& handles = methods_[static_cast<size_t>(method)];
  const double seconds = std::chrono::duration<double>(took).count();
  handles.duration->Observe(seconds);
  handles.commands->Add();
  if (handles.scheduled_duration != nullptr) {
    scheduled_->Add();
    handles.scheduled_begun->Add();
    handles.scheduled_written->Add();
    handles.scheduled_duration->Observe(seconds);
  }
  if (handles.engine_requests == nullptr) return;
  handles.engine_requests->Add();
  handles.engine_duration->Observe(seconds);
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
