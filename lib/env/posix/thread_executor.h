// Strands and pools on real threads.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "lib/env/executor.h"

namespace tikv {

// One thread.  It takes all that is queued in one step and is woken at most once per such batch,
// so that posting to a busy strand costs a lock and a move.
class ThreadExecutor final : public Executor {
 public:
  struct Options {
    std::string name;             // Of the thread; the kernel keeps 15 characters.
    size_t max_queued = 1 << 20;  // Where TryPost refuses.
  };

  ThreadExecutor(Options options, Clock* clock);
  // Stops; not from the strand itself.
  ~ThreadExecutor() override;

  void Post(Task task) override;
  bool TryPost(Task&& task) override;
  TimerId PostAfter(Duration delay, Task task) override;
  bool Cancel(TimerId id) override;
  bool InThread() const override;

  // Finishes the running task, destroys queued tasks and timers without running them (on the
  // caller's thread), joins.  Idempotent; not from the strand itself.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// A few threads for work that may block: disk reads, file copies, compaction requests.  Tasks run
// in any order.  Threads start when first needed.
class ThreadPool final : public TaskRunner {
 public:
  struct Options {
    std::string name;          // Threads are "name-0", "name-1"...
    size_t threads = 2;        // At most.
    size_t max_queued = 4096;  // Where TryPost refuses.
  };

  explicit ThreadPool(Options options);
  ~ThreadPool() override;

  void Post(Task task) override;
  bool TryPost(Task&& task) override;
  // Other bounds from now on.  Threads beyond the new number end when they have nothing to do.
  void Resize(size_t threads, size_t max_queued);
  // Tasks that wait for a thread.
  size_t queued() const;
  // As ThreadExecutor::Stop.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tikv
