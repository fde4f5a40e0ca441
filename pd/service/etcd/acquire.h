// The recipe under elections and locks: whoever's key was created first owns the name.
#pragma once

#include <memory>
#include <string>

#include "lib/rpc/server.h"
#include "pd/service/etcd/context.h"

namespace tikv::pd::etcd {

// A place in the queue for `name`, held by a key "<name>/<lease in hex>" with that lease.
struct Place {
  std::string key;
  int64_t create_revision = 0;
};

// Takes a place (or the one that this lease has already, with the new value) and answers once no
// older one is left.  When the caller gives up before, the place is given back.
void Acquire(EtcdContext* context, const std::string& name, int64_t lease, const std::string& value,
             const rpc::CallContext& call, Callback<absl::StatusOr<Place>> done);

// The oldest place of `name`: its owner; nullopt when there is none.  Reads this member's state.
absl::StatusOr<std::optional<meta::KeyValue>> Owner(EtcdContext* context, const std::string& name);

}  // namespace tikv::pd::etcd
