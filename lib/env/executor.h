// Where work runs: ports for strands with timers and for pools.
#pragma once

#include <cstdint>

#include "lib/base/callback.h"
#include "lib/env/clock.h"

namespace tikv {

// Something that runs tasks.  Thread-safe.
class TaskRunner {
 public:
  virtual ~TaskRunner() = default;

  // Never blocks, never refuses and never runs the task inline.  For work whose amount is bounded
  // elsewhere (completions, timers, one task per admitted request).  A task posted after the runner
  // stopped is destroyed without being run.
  virtual void Post(Task task) = 0;

  // As Post, for work that the outside world drives: false, and the task untouched, when the
  // queue is at its bound or the runner stopped.
  virtual bool TryPost(Task&& task) = 0;
};

enum class TimerId : uint64_t { kNone = 0 };

// A named strand: tasks run one at a time, in the order posted.  Posting from one of its own tasks
// costs no wake-up and runs after everything posted before; that is how an owner batches ("after
// what is queued now, do one write for all").
class Executor : public TaskRunner {
 public:
  // Runs the task on the strand once `delay` has passed, never early.
  virtual TimerId PostAfter(Duration delay, Task task) = 0;

  // True: the task will not run and is destroyed.  False: it ran, is about to, or is unknown.
  // Called on the strand itself the answer is exact.
  virtual bool Cancel(TimerId id) = 0;

  // Whether the caller runs on this strand.
  virtual bool InThread() const = 0;
};

}  // namespace tikv
