// Writes of the leader to the metadata store, in order and in groups.
#pragma once

#include <absl/status/status.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "lib/base/callback.h"
#include "pd/meta/kv.h"

namespace tikv {
class Executor;
}
namespace tikv::pd::meta {
class MetaStore;
}

namespace tikv::pd {

// Changes take effect in the order in which they were given, one transaction at a time; what comes
// while one is under way goes into the next, so that a burst costs few rounds of the store.
//
// After a failure nothing more is written until Recover: what was queued behind the failed change
// may have been made in the light of it, and its owner's memory is ahead of the store.
// Thread-safe; never blocks, so that it may be used under a lock.
class MetaWriter {
 public:
  // Both must outlive the writer's last callback.  `on_failure`: called with the term of a change
  // that failed, before those who wait are told, on a thread of the store's.
  MetaWriter(meta::MetaStore* store, Executor* executor,
             std::function<void(uint64_t term)> on_failure);
  ~MetaWriter();

  // Refused ("not leader") unless this member still leads in `term`, and in any case when that is
  // 0, no term.  At most 64 operations.
  // Never calls back inside the call.
  void Write(uint64_t term, std::vector<meta::Op> ops, Callback<absl::Status> done);
  // OK once all that was given before is durable: inside the call when nothing is under way.
  // Unavailable "not leader" when something failed.
  void Settle(Callback<absl::Status> done);
  // The owner's memory is what the store holds; goes on.
  void Recover();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tikv::pd
