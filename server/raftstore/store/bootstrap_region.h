// The first region of a cluster on the disk of its first store.
#pragma once

#include <absl/status/status.h>

#include "proto/metapb.pb.h"

namespace tikv::engine {
class KvEngine;
}

namespace tikv::server {

// One replica, spanning everything.
metapb::Region FirstRegion(uint64_t region_id, uint64_t peer_id, uint64_t store_id);
// Durable.  The Raft log needs nothing: Store::Recover begins it.
absl::Status WriteFirstRegion(engine::KvEngine* engine, const metapb::Region& region);
absl::Status RemoveFirstRegion(engine::KvEngine* engine, const metapb::Region& region);

}  // namespace tikv::server
