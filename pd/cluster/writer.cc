#include "pd/cluster/writer.h"

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
  std::mutex mu;
  std::deque<Item> queue;
  bool busy = false;

  // The next group: items of one term, without two changes of one key (a transaction may not
  // have them): the later one replaces the earlier.
  std::vector<Item> Take() {
    constexpr size_t kMaxOps = 128;
    std::vector<Item> group;
    size_t ops = 0;
    while (!queue.empty()) {
      Item& next = queue.front();
      if (!group.empty() && (next.term != group.front().term || ops + next.ops.size() > kMaxOps)) {
        break;
      }
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
        return;
      }
    }
    meta::Txn txn;
    txn.leader_term = group.front().term;
    std::unordered_map<std::string, size_t> place;
    for (Item& item : group) {
      for (meta::Op& op : item.ops) {
        auto [it, fresh] = place.try_emplace(op.range.key, txn.then.size());
        if (fresh) {
          txn.then.push_back(std::move(op));
        } else {
          txn.then[it->second] = std::move(op);
        }
      }
    }
    store->Commit(std::move(txn), [self = shared_from_this(), group = std::move(group)](
                                      absl::StatusOr<meta::TxnResult> result) mutable {
      for (Item& item : group) {
        if (item.done) std::move(item.done)(result.status());
      }
      self->executor->Post([self] { self->Flush(); });
    });
  }
};

MetaWriter::MetaWriter(meta::MetaStore* store, Executor* executor)
    : state_(std::make_shared<State>()) {
  state_->store = store;
  state_->executor = executor;
}

MetaWriter::~MetaWriter() = default;

void MetaWriter::Write(uint64_t term, std::vector<meta::Op> ops, Callback<absl::Status> done) {
  std::lock_guard lock(state_->mu);
  state_->queue.push_back({term, std::move(ops), std::move(done)});
  if (std::exchange(state_->busy, true)) return;
  state_->executor->Post([state = state_] { state->Flush(); });
}

}  // namespace tikv::pd
