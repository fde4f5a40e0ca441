// Tso on a MetaStore: the oracle with a clock, a timer and its bound in the replicated store.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "pd/meta/meta_store.h"
#include "pd/tso/oracle.h"
#include "pd/tso/tso.h"

namespace tikv::pd::tso {

// How often time follows the clock, and the oracle's bounds.
struct AllocatorOptions {
  OracleOptions oracle;
  Duration update_interval = std::chrono::milliseconds(50);
};

// Figures for metrics; monotonic.
struct AllocatorStats {
  std::atomic<uint64_t> saves{0};
  std::atomic<uint64_t> save_errors{0};
  std::atomic<uint64_t> clock_behind{0};  // Ticks on which the wall clock was behind our time.
  std::atomic<uint64_t> exhausted{0};     // Requests refused because the bound was reached.
};

// Allocate is a short critical section, so that one object serves all streams of all loops.
// Saving happens on `strand`, one save at a time; three failures in a row give leadership up,
// or, where no other member can take it, begin anew.
// Everything passed in must outlive the object, and the strand must be stopped before it goes.
class Allocator final : public Tso, public meta::LeaderListener {
 public:
  Allocator(AllocatorOptions options, Clock* clock, Executor* strand, meta::MetaStore* store);

  // Registers with the store and starts the timer.
  void Start();

  absl::StatusOr<Timestamp> Allocate(uint32_t count) override;
  void Reset(uint64_t ts, bool force_larger, Callback<absl::Status> done) override;
  bool IsServing() const override;

  void OnBecomeLeader(uint64_t term) override;
  void OnLoseLeadership(uint64_t term) override;

  const AllocatorStats& stats() const { return stats_; }
  Timestamp Current() const;

 private:
  struct Save {
    int64_t bound_ms;
    Callback<absl::Status> done;
  };

  // All on the strand.
  void Begin(uint64_t term);
  void GiveUp(uint64_t term);
  void Tick();
  void Enqueue(Save save);
  void WriteNext();
  void OnWritten(uint64_t term, absl::Status status);
  absl::StatusOr<int64_t> ReadBound() const;
  std::string BoundKey() const;

  const AllocatorOptions options_;
  Clock* const clock_;
  Executor* const strand_;
  meta::MetaStore* const store_;
  AllocatorStats stats_;

  mutable std::mutex mutex_;  // Guards oracle_.
  Oracle oracle_;

  // The strand's own.
  uint64_t term_ = 0;       // 0: not leading.
  std::deque<Save> saves_;  // The first one is being written.
  bool tick_save_queued_ = false;
  int failures_ = 0;
};

}  // namespace tikv::pd::tso
