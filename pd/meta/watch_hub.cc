#include "pd/meta/watch_hub.h"

#include "pd/meta/mvcc/history.h"
#include "pd/meta/mvcc/state_machine.h"

namespace tikv::pd::meta {
namespace {

constexpr size_t kRecentBytes = 16 << 20;
constexpr size_t kMaxEventsPerBatch = 1000;
constexpr size_t kMaxBytesPerBatch = 4 << 20;

size_t BytesOf(const std::vector<Event>& events) {
  size_t bytes = 64;
  for (const Event& e : events) {
    bytes += 200 + e.kv.key.size() + e.kv.value.size() + e.prev.key.size() + e.prev.value.size();
  }
  return bytes;
}

// Events of consecutive revisions for one watcher, handed over in one call.
struct Batch {
  int64_t revision = 0;
  size_t bytes = 0;
  std::vector<Event> events;

  void Add(const KeyRange& range, const std::vector<Event>& all) {
    for (const Event& e : all) {
      if (!range.contains(e.kv.key)) continue;
      revision = e.kv.mod_revision;
      bytes += e.kv.value.size() + e.prev.value.size() + e.kv.key.size();
      events.push_back(e);
    }
  }
  bool full() const { return events.size() >= kMaxEventsPerBatch || bytes >= kMaxBytesPerBatch; }
};

}  // namespace

WatchHub::WatchHub(const StateMachine* machine, Executor* strand)
    : machine_(machine), strand_(strand), delivered_(machine->revision()) {}

WatchHub::WatchId WatchHub::Add(KeyRange range, int64_t start_revision,
                                std::shared_ptr<WatchSink> sink) {
  const WatchId id = next_id_.fetch_add(1);
  strand_->Post(
      [this, id, range = std::move(range), start_revision, sink = std::move(sink)]() mutable {
        const int64_t now = machine_->revision();
        Watcher& watcher = watchers_[id];
        watcher.range = std::move(range);
        watcher.sink = std::move(sink);
        watcher.next_revision = start_revision > 0 ? start_revision : now + 1;
        watcher.behind = watcher.next_revision <= now;
        if (watcher.range.end.empty()) {
          by_key_[watcher.range.key].push_back(id);
        } else {
          by_range_.push_back(id);
        }
        watcher.sink->OnCreated(now);
        if (watcher.behind) CatchUp(id, &watcher);
      });
  return id;
}

void WatchHub::Remove(WatchId id) {
  strand_->Post([this, id] { Erase(id); });
}

void WatchHub::Erase(WatchId id) {
  auto it = watchers_.find(id);
  if (it == watchers_.end()) return;
  if (it->second.range.end.empty()) {
    auto ids = by_key_.find(it->second.range.key);
    std::erase(ids->second, id);
    if (ids->second.empty()) by_key_.erase(ids);
  } else {
    std::erase(by_range_, id);
  }
  watchers_.erase(it);
}

void WatchHub::Resume(WatchId id) {
  strand_->Post([this, id] {
    auto it = watchers_.find(id);
    if (it == watchers_.end() || !it->second.busy) return;
    it->second.busy = false;
    CatchUp(id, &it->second);
  });
}

void WatchHub::Progress(std::vector<WatchId> ids, std::function<void(int64_t)> task) {
  strand_->Post([this, ids = std::move(ids), task = std::move(task)] {
    Pump();
    int64_t revision = delivered_;
    for (WatchId id : ids) {
      auto it = watchers_.find(id);
      if (it == watchers_.end() || !(it->second.busy || it->second.behind)) continue;
      revision = std::min(revision, it->second.next_revision - 1);
    }
    task(revision);
  });
}

void WatchHub::SchedulePump() {
  if (std::exchange(pump_posted_, true)) return;
  strand_->Post([this] { Pump(); });
}

void WatchHub::OnApplied(int64_t revision, std::vector<Event> events) {
  if (events.empty()) return;
  const size_t bytes = BytesOf(events);
  std::lock_guard lock(mutex_);
  queue_.push_back(
      {revision, bytes, std::make_shared<const std::vector<Event>>(std::move(events))});
  SchedulePump();
}

void WatchHub::OnReplaced() {
  std::lock_guard lock(mutex_);
  queue_.clear();
  replaced_ = true;
  SchedulePump();
}

void WatchHub::Pump() {
  std::vector<Change> changes;
  bool replaced;
  {
    std::lock_guard lock(mutex_);
    pump_posted_ = false;
    replaced = std::exchange(replaced_, false);
    changes.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end()));
    queue_.clear();
  }
  if (replaced) {
    recent_.clear();
    recent_bytes_ = 0;
    std::vector<WatchId> ids;
    for (auto& [id, watcher] : watchers_) {
      ids.push_back(id);
      if (watcher.busy || watcher.behind) continue;
      watcher.next_revision = std::max(watcher.next_revision, delivered_ + 1);
    }
    delivered_ = machine_->revision();
    for (WatchId id : ids) {
      if (auto it = watchers_.find(id); it != watchers_.end()) CatchUp(id, &it->second);
    }
  }
  if (changes.empty()) return;
  for (const Change& change : changes) {
    recent_.push_back(change);
    recent_bytes_ += change.bytes;
  }
  delivered_ = changes.back().revision;
  Deliver(changes);
  while (recent_bytes_ > kRecentBytes && recent_.size() > 1) {
    recent_bytes_ -= recent_.front().bytes;
    recent_.pop_front();
  }
}

void WatchHub::Deliver(const std::vector<Change>& changes) {
  std::map<WatchId, Batch> batches;
  auto add = [&](WatchId id, const Change& change) {
    Watcher& watcher = watchers_.at(id);
    if (watcher.busy || watcher.behind || change.revision < watcher.next_revision) return;
    batches[id];  // Only marks it; the events are collected below, once per revision.
  };
  for (const Change& change : changes) {
    for (const Event& event : *change.events) {
      if (auto it = by_key_.find(event.kv.key); it != by_key_.end()) {
        for (WatchId id : it->second) add(id, change);
      }
      for (WatchId id : by_range_) {
        if (watchers_.at(id).range.contains(event.kv.key)) add(id, change);
      }
    }
  }
  for (auto& [id, batch] : batches) {
    auto it = watchers_.find(id);
    if (it == watchers_.end()) continue;
    for (const Change& change : changes) {
      if (change.revision < it->second.next_revision) continue;
      batch.Add(it->second.range, *change.events);
    }
    Hand(id, &it->second, batch.revision, batch.events);
  }
}

void WatchHub::Hand(WatchId id, Watcher* watcher, int64_t revision,
                    const std::vector<Event>& events) {
  watcher->next_revision = revision + 1;
  if (!watcher->sink->OnEvents(revision, events)) watcher->busy = true;
}

void WatchHub::CatchUp(WatchId id, Watcher* watcher) {
  watcher->behind = true;
  if (watcher->busy || !CatchUpOnce(id, watcher)) return;
  // One batch per turn, so that one watcher with a long history does not hold up the others.
  strand_->Post([this, id] {
    auto it = watchers_.find(id);
    if (it != watchers_.end() && it->second.behind) CatchUp(id, &it->second);
  });
}

// Hands over one batch; true: there may be more.
bool WatchHub::CatchUpOnce(WatchId id, Watcher* watcher) {
  StateMachine::ReadView view = machine_->TakeSnapshot();
  if (watcher->next_revision < view.compact_revision) {
    auto sink = watcher->sink;
    Erase(id);
    sink->OnCompacted(view.compact_revision);
    return false;
  }
  Batch batch;
  int64_t seen = watcher->next_revision - 1;
  auto take = [&](int64_t revision, const std::vector<Event>& events) {
    batch.Add(watcher->range, events);
    seen = revision;
    return !batch.full();
  };
  if (!recent_.empty() && recent_.front().revision <= watcher->next_revision) {
    for (const Change& change : recent_) {
      if (change.revision < watcher->next_revision) continue;
      if (!take(change.revision, *change.events)) break;
    }
    if (!batch.full()) seen = delivered_;
  } else {
    absl::Status status = ReadHistory(
        *view.snapshot, watcher->next_revision, view.revision,
        [&](std::vector<Event> events) { return take(events[0].kv.mod_revision, events); });
    if (!status.ok()) return false;  // A failing disk; the replica notices by itself.
    if (!batch.full()) seen = view.revision;
  }
  if (!batch.events.empty()) Hand(id, watcher, batch.revision, batch.events);
  watcher->next_revision = std::max(watcher->next_revision, seen + 1);
  if (watcher->next_revision > delivered_) watcher->behind = false;
  return watcher->behind;
}

}  // namespace tikv::pd::meta
