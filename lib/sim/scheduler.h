// Runs all strands of a simulation on the calling thread, in an order drawn from a seed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/env/executor.h"
#include "lib/env/random.h"
#include "lib/sim/manual_clock.h"

namespace tikv::sim {

// Tasks of one strand keep their order; which strand runs next is drawn, so that every
// interleaving of strands has a seed that shows it.  Time stands still while anything can run and
// then jumps to the next timer.  Not thread-safe.
class Scheduler {
 public:
  Scheduler(ManualClock* clock, Random random);
  ~Scheduler();

  // A strand; its queue and timers go with it.  The scheduler must outlive it.
  std::unique_ptr<Executor> NewStrand(std::string name, size_t max_queued = 1 << 20);

  // Runs one task, if one is ready.
  bool Step();
  // Runs until nothing is ready, without moving time.
  void RunReady();
  // Runs everything due within `d`; time ends exactly `d` later.
  void RunFor(Duration d);
  // Runs and moves time until `done` holds; false when `limit` passed or nothing is left to run.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

 private:
  class Strand;
  struct State;
  // Moves time to the next timer, at most to `end`; false when there is none.
  bool JumpToTimer(MonotonicTime end);

  std::unique_ptr<State> state_;
};

}  // namespace tikv::sim
