// Who watches what, and which changes they have seen.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/env/executor.h"
#include "pd/meta/kv.h"

namespace tikv::pd::meta {

class StateMachine;

// The receiving end of one watch; called on the hub's strand.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  // The watch runs; changes after `revision` (and the history asked for) follow.
  virtual void OnCreated(int64_t revision) = 0;
  // Whole transactions in order.  False: the receiver is full; nothing more comes until Resume,
  // and then everything that was missed.
  virtual bool OnEvents(int64_t revision, const std::vector<Event>& events) = 0;
  // The revision to go on from is compacted; the last call.
  virtual void OnCompacted(int64_t compact_revision) = 0;
};

// A watcher pulls: it remembers the next revision it wants, and reads that from the changes still
// in memory or, when it is behind those, from the engine.  So a slow receiver costs no memory.
//
// Add, Remove, Resume, Progress and OnApplied are thread-safe; delivery is on `strand`, which
// must be stopped before the hub is destroyed.
class WatchHub {
 public:
  using WatchId = uint64_t;

  WatchHub(const StateMachine* machine, Executor* strand);

  // `start_revision` 0: after what is there when the watch is created.
  WatchId Add(KeyRange range, int64_t start_revision, std::shared_ptr<WatchSink> sink);
  // The sink may still be in a call, but gets no new one after the returned strand task ran.
  void Remove(WatchId id);
  void Resume(WatchId id);
  // Runs on the strand with a revision up to which these watches have been given everything: a
  // client that is told of it goes on behind it after its connection broke.
  void Progress(std::vector<WatchId> ids, std::function<void(int64_t revision)> task);

  // From the thread that applies: the changes of one revision.
  void OnApplied(int64_t revision, std::vector<Event> events);
  // The state was replaced (a snapshot was installed): the history in memory is void.
  void OnReplaced();

 private:
  struct Watcher {
    KeyRange range;
    int64_t next_revision = 0;
    std::shared_ptr<WatchSink> sink;
    bool busy = false;    // Its receiver is full.
    bool behind = false;  // Must catch up before it takes part in delivery.
  };
  struct Change {
    int64_t revision = 0;
    size_t bytes = 0;
    std::shared_ptr<const std::vector<Event>> events;
  };

  // All on the strand.
  void Pump();
  void Deliver(const std::vector<Change>& changes);
  void CatchUp(WatchId id, Watcher* watcher);
  bool CatchUpOnce(WatchId id, Watcher* watcher);
  void Hand(WatchId id, Watcher* watcher, int64_t revision, const std::vector<Event>& events);
  void Erase(WatchId id);
  void SchedulePump();

  const StateMachine* const machine_;
  Executor* const strand_;
  std::atomic<WatchId> next_id_{1};

  std::mutex mutex_;  // Guards the three below.
  std::deque<Change> queue_;
  bool replaced_ = false;
  bool pump_posted_ = false;

  // The strand's own.
  std::map<WatchId, Watcher> watchers_;
  std::unordered_map<std::string, std::vector<WatchId>> by_key_;  // Single-key watches.
  std::vector<WatchId> by_range_;
  std::deque<Change> recent_;  // The last changes, without gaps.
  size_t recent_bytes_ = 0;
  int64_t delivered_ = 0;
};

}  // namespace tikv::pd::meta
