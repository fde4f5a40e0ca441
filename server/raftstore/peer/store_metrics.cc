#include "server/raftstore/peer/store_metrics.h"

#include "proto/eraftpb.pb.h"

namespace tikv::server {
namespace {

metrics::Histogram& Seconds(metrics::Registry* registry, const char* name, const char* help) {
  return registry->AddHistogram(name, help, metrics::ExponentialBounds(0.00001, 2, 24));
}

metrics::Family<metrics::Histogram>& Process(metrics::Registry* registry) {
  return registry->AddHistogramFamily("tikv_raftstore_raft_process_duration_secs",
                                      "Time of the raft thread's work.", {"type"},
                                      metrics::ExponentialBounds(0.00001, 2, 24));
}

// How dashboards call the messages.
std::string_view MessageLabel(int type) {
  using eraftpb::MessageType;
  switch (static_cast<MessageType>(type)) {
    case MessageType::MsgAppend:
      return "append";
    case MessageType::MsgAppendResponse:
      return "append_resp";
    case MessageType::MsgRequestPreVote:
      return "prevote";
    case MessageType::MsgRequestPreVoteResponse:
      return "prevote_resp";
    case MessageType::MsgRequestVote:
      return "vote";
    case MessageType::MsgRequestVoteResponse:
      return "vote_resp";
    case MessageType::MsgSnapshot:
      return "snapshot";
    case MessageType::MsgHeartbeat:
      return "heartbeat";
    case MessageType::MsgHeartbeatResponse:
      return "heartbeat_resp";
    case MessageType::MsgTransferLeader:
      return "transfer_leader";
    case MessageType::MsgTimeoutNow:
      return "timeout_now";
    case MessageType::MsgReadIndex:
      return "read_index";
    case MessageType::MsgReadIndexResp:
      return "read_index_resp";
    default:
      return "other";
  }
}

}  // namespace

StoreMetrics::StoreMetrics(metrics::Registry* registry, Clock* clock)
    : append_log(Seconds(registry, "tikv_raftstore_append_log_duration_seconds",
                         "Time of writing a round's entries to the Raft log.")),
      commit_log(Seconds(registry, "tikv_raftstore_commit_log_duration_seconds",
                         "Time from a write's proposal to its commit.")),
      apply_log(Seconds(registry, "tikv_raftstore_apply_log_duration_seconds",
                        "Time of applying a round's committed entries.")),
      request_wait(Seconds(registry, "tikv_raftstore_request_wait_time_duration_secs",
                           "Time that writes wait for the raft thread.")),
      process_ready(Process(registry).With({"ready"})),
      process_tick(Process(registry).With({"tick"})),
      log_lag(registry->AddHistogram("tikv_raftstore_log_lag",
                                     "Entries that followers lack, at heartbeats.",
                                     metrics::ExponentialBounds(2, 2, 20))),
      region_size(registry->AddHistogram("tikv_raftstore_region_size",
                                         "Bytes of regions, when measured.",
                                         metrics::ExponentialBounds(1 << 20, 2, 16))),
      raft_log_sync(Seconds(registry, "raft_engine_sync_log_duration_seconds",
                            "Time of a synced write of the Raft log.")),
      snapshot_apply(registry
                         ->AddHistogramFamily("tikv_raftstore_snapshot_duration_seconds",
                                              "Time of a snapshot's steps.", {"type"},
                                              metrics::ExponentialBounds(0.0005, 2, 22))
                         .With({"apply"})),
      snapshot_size(registry->AddHistogram("tikv_snapshot_size", "Bytes of received snapshots.",
                                           metrics::ExponentialBounds(1024, 2, 24))),
      local_reads(registry->AddCounter("tikv_raftstore_local_read_executed_requests",
                                       "Reads served under the lease, without the raft thread.")),
      local_read_rejects(registry
                             ->AddCounterFamily("tikv_raftstore_local_read_reject_total",
                                                "Reads that had to ask the raft thread.",
                                                {"reason"})
                             .With({"lease_expire"})),
      dropped_messages(registry
                           ->AddCounterFamily("tikv_raftstore_raft_dropped_message_total",
                                              "Messages that were not sent.", {"type"})
                           .With({"disk_full"})),
      clock_(clock),
      admin_(registry->AddCounterFamily("tikv_raftstore_admin_cmd_total",
                                        "Administrative commands.", {"type", "status"})),
      sent_family_(registry->AddCounterFamily("tikv_raftstore_raft_sent_message_total",
                                              "Messages to other stores.", {"type", "status"})) {
  for (const char* type : {"compact", "batch-split", "conf_change", "transfer_leader"}) {
    admin_.With({type, "all"});
    admin_.With({type, "success"});
  }
}

void StoreMetrics::CountSent(int message_type) {
  const size_t i = static_cast<size_t>(message_type) % kMessageTypes;
  if (sent_[i] == nullptr) {
    sent_[i] = &sent_family_.With({MessageLabel(message_type), "accept"});
  }
  sent_[i]->Add();
}

}  // namespace tikv::server
