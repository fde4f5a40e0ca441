// Where the other stores are, as PD knows.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include <map>
#include <string>

#include "lib/base/callback.h"
#include "lib/base/strong_id.h"
#include "lib/env/executor.h"

namespace tikv::server {

class PdClient;

// Asks PD each time: connections are made seldom, and a store may have moved.  While PD does not
// answer, a store is where it was last: the stores must find each other without it.  Callbacks run
// on `strand`.  `pd` and `strand` must outlive this object, and this object every callback.
class StoreAddresses {
 public:
  StoreAddresses(PdClient* pd, Executor* strand) : pd_(pd), strand_(strand) {}
  // NotFound: no such store, or it is a tombstone.
  void Find(StoreId store, Callback<absl::StatusOr<std::string>> done);

 private:
  PdClient* pd_;
  Executor* strand_;
  std::map<StoreId, std::string> last_;  // On the strand.
};

}  // namespace tikv::server
