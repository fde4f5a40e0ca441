// Writes of the leader to the metadata store, in order and in groups.
#pragma once

#include <absl/status/status.h>

#include <deque>
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
// Thread-safe; never blocks and never calls back inside Write, so it may be used under a lock.
class MetaWriter {
 public:
  // Both must outlive the writer's last callback.
  MetaWriter(meta::MetaStore* store, Executor* executor);
  ~MetaWriter();

  // Refused ("not leader") unless this member still leads in `term`.  At most 64 operations.
  void Write(uint64_t term, std::vector<meta::Op> ops, Callback<absl::Status> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tikv::pd
