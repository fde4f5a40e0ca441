// HealthFeedback: how well this store is, told to clients beside their replies.
#pragma once

#include <atomic>
#include <cstdint>

#include "lib/base/strong_id.h"
#include "lib/env/clock.h"
#include "proto/kvrpcpb.pb.h"

namespace tikv::server {

// Thread-safe.  Sequence numbers start at the unix milliseconds of the start, so that those of a
// restarted store are newer.
class HealthFeedbackSource {
 public:
  HealthFeedbackSource(StoreId store, Clock* clock)
      : store_(store), sequence_(static_cast<uint64_t>(clock->Wall().millis())) {}

  // 1 (well) to 100; clients avoid a store from 80 on.
  void set_slow_score(int32_t score) { slow_score_.store(score, std::memory_order_relaxed); }
  int32_t slow_score() const { return slow_score_.load(std::memory_order_relaxed); }
  // Percent of one core that the RPC threads use; 280 = 2.8 cores.
  void set_transport_load(uint64_t percent) {
    transport_load_.store(percent, std::memory_order_relaxed);
  }
  uint64_t transport_load() const { return transport_load_.load(std::memory_order_relaxed); }

  void Fill(kvrpcpb::HealthFeedback* out) {
    out->set_store_id(store_.value);
    out->set_feedback_seq_no(sequence_.fetch_add(1, std::memory_order_relaxed));
    out->set_slow_score(slow_score());
  }

 private:
  const StoreId store_;
  std::atomic<uint64_t> sequence_;
  std::atomic<int32_t> slow_score_{1};
  std::atomic<uint64_t> transport_load_{0};
};

}  // namespace tikv::server
