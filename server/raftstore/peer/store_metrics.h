// What the rounds of a store count and time, under the original's names.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

#include "lib/env/clock.h"
#include "lib/metrics/metrics.h"

namespace tikv::server {

// Handles, made once; raft thread, but for those marked.  Registry and clock must outlive it.
class StoreMetrics {
 public:
  StoreMetrics(metrics::Registry* registry, Clock* clock);

  MonotonicTime Now() const { return clock_->Now(); }
  void ObserveSince(MonotonicTime begin, metrics::Histogram* histogram) const {
    histogram->Observe(std::chrono::duration<double>(clock_->Now() - begin).count());
  }
  // `type`: compact, batch-split, conf_change, transfer_leader; `status`: all, success.
  void CountAdmin(std::string_view type, std::string_view status) {
    admin_.With({type, status}).Add();
  }
  // By eraftpb.MessageType.
  void CountSent(int message_type);

  metrics::Histogram& append_log;
  metrics::Histogram& commit_log;  // From proposal to commit, one write per region at a time.
  metrics::Histogram& apply_log;
  metrics::Histogram& request_wait;  // From the request's thread to the raft thread.  Any thread.
  metrics::Histogram& process_ready;
  metrics::Histogram& process_tick;
  metrics::Histogram& log_lag;
  metrics::Histogram& region_size;
  metrics::Histogram& raft_log_sync;
  metrics::Histogram& snapshot_apply;    // Snapshot thread.
  metrics::Histogram& snapshot_size;     // Snapshot thread.
  metrics::Counter& local_reads;         // Any thread.
  metrics::Counter& local_read_rejects;  // Any thread.
  metrics::Counter& dropped_messages;

 private:
  static constexpr size_t kMessageTypes = 32;

  Clock* const clock_;
  metrics::Family<metrics::Counter>& admin_;
  metrics::Family<metrics::Counter>& sent_family_;
  std::array<metrics::Counter*, kMessageTypes> sent_{};
};

}  // namespace tikv::server
