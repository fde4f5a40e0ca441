// Where the other stores are, as PD knows.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include <string>

#include "lib/base/callback.h"
#include "lib/base/strong_id.h"
#include "lib/env/executor.h"

namespace tikv::server {

class PdClient;

// Asks PD each time: connections are made seldom, and a store may have moved.  Callbacks run on
// `strand`.  `pd` and `strand` must outlive this object, and this object every callback.
class StoreAddresses {
 public:
  StoreAddresses(PdClient* pd, Executor* strand) : pd_(pd), strand_(strand) {}
  // NotFound: no such store, or it is a tombstone.
  void Find(StoreId store, Callback<absl::StatusOr<std::string>> done);

 private:
  PdClient* pd_;
  Executor* strand_;
};

}  // namespace tikv::server
