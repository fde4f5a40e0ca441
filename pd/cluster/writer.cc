#include "pd/cluster/writer.h"

#include <atomic>
#include <unordered_map>

#include "lib/base/status.h"
#include "lib/env/executor.h"
#include "pd/meta/meta_store.h"

namespace tikv::pd {

struct MetaWriter::State : std::enable_shared_from_this<MetaWriter::State> {
  struct Item {
    uint64_t term;
    std::vector<meta::Op> ops;
    Callback<absl::Status> done;
  };

  meta::MetaStore* store;
  Executor* executor;
  std::function<void(uint64_t)> on_failure;
  std::atomic<bool> idle{true};  // Nothing under way, nothing failed.

  std::mutex mu;
  // Guarded by mu:
  std::deque<Item> queue;
  bool busy = false;
  bool failed = false;

  // The next group: items of one term, without two changes of one key (a transaction may not
  // have them): the later one replaces the earlier.
  std::vector<Item> Take() {
    constexpr size_t kMaxOps = 128;
    std::vector<Item> group;
    size_t ops = 0;
    uint64_t term = 0;
    while (!queue.empty()) {
      Item& next = queue.front();
      // One that only waits goes with whatever it finds.
      if (ops > 0 && !next.ops.empty() && (next.term != term || ops + next.ops.size() > kMaxOps)) {
        break;
      }
      if (!next.ops.empty()) term = next.term;
      ops += next.ops.size();
      group.push_back(std::move(next));
      queue.pop_front();
    }
    return group;
  }

  void Flush() {
    std::vector<Item> group;
    {
      std::lock_guard lock(mu);
      group = Take();
      if (group.empty()) {
        busy = false;
        idle = !failed;
        return;
      }
    }
    meta::Txn txn;
    std::unordered_map<std::string, size_t> place;
    for (Item& item : group) {
      if (!item.ops.empty()) txn.leader_term = item.term;
      for (meta::Op& op : item.ops) {
        auto [it, fresh] = place.try_emplace(op.range.key, txn.then.size());
        if (fresh) {
          txn.then.push_back(std::move(op));
        } else {
          txn.then[it->second] = std::move(op);
        }
      }
    }
    if (txn.then.empty()) return Ended(0, absl::OkStatus(), std::move(group));
    const uint64_t term = txn.leader_term;
    store->Commit(std::move(txn), [self = shared_from_this(), term, group = std::move(group)](
                                      absl::StatusOr<meta::TxnResult> result) mutable {
      self->Ended(term, result.status(), std::move(group));
    });
  }

  void Ended(uint64_t term, const absl::Status& status, std::vector<Item> group) {
    std::deque<Item> behind;
    if (!status.ok()) {
      {
        std::lock_guard lock(mu);
        failed = true;
        idle = false;
        behind.swap(queue);
      }
      on_failure(term);
    }
    for (Item& item : group) {
      if (item.done) std::move(item.done)(status);
    }
    for (Item& item : behind) {
      if (item.done) std::move(item.done)(Unavailable("not leader"));
    }
    executor->Post([self = shared_from_this()] { self->Flush(); });
  }

  void Queue(uint64_t term, std::vector<meta::Op> ops, Callback<absl::Status> done) {
    idle = false;
    queue.push_back({term, std::move(ops), std::move(done)});
    if (std::exchange(busy, true)) return;
    executor->Post([self = shared_from_this()] { self->Flush(); });
  }
};

MetaWriter::MetaWriter(meta::MetaStore* store, Executor* executor,
                       std::function<void(uint64_t)> on_failure)
    : state_(std::make_shared<State>()) {
  state_->store = store;
  state_->executor = executor;
  state_->on_failure = std::move(on_failure);
}

MetaWriter::~MetaWriter() = default;

void MetaWriter::Write(uint64_t term, std::vector<meta::Op> ops, Callback<absl::Status> done) {
  std::lock_guard lock(state_->mu);
  // Term 0 would be no guard at all: the change would reach whoever leads by then.
  if (!state_->failed && term != 0) return state_->Queue(term, std::move(ops), std::move(done));
  if (!done) return;
  state_->executor->Post(
      [done = std::move(done)]() mutable { std::move(done)(Unavailable("not leader")); });
}

void MetaWriter::Settle(Callback<absl::Status> done) {
  if (state_->idle.load(std::memory_order_acquire)) return std::move(done)(absl::OkStatus());
  absl::Status now;
  {
    std::lock_guard lock(state_->mu);
    if (state_->failed) {
      now = Unavailable("not leader");
    } else if (state_->busy) {
      return state_->Queue(0, {}, std::move(done));
    }
  }
  std::move(done)(now);
}

void MetaWriter::Recover() {
  std::lock_guard lock(state_->mu);
  state_->failed = false;
  state_->idle = !state_->busy;
}

}  // namespace tikv::pd
