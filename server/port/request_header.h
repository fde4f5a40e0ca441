// What every request to a region carries: the decoded kvrpcpb.Context.
#pragma once

#include <cstdint>

#include "lib/base/strong_id.h"
#include "lib/env/clock.h"

namespace tikv::server {

// Plain values, copied along with the request.
struct RequestHeader {
  RegionId region;
  PeerId peer;
  StoreId store;  // 0 when the client sent no peer; refused as StoreNotMatch.
  // The region as the client knows it.  A missing epoch is {0, 0} and never matches.
  uint64_t conf_ver = 0;
  uint64_t version = 0;
  uint64_t term = 0;  // 0: not checked.  Older than the current term by more than 1: StaleCommand.
  bool replica_read = false;  // A follower may answer, after a read index.
  bool stale_read = false;
  // When a read would have to wait longer than this for a thread, it is refused: the client has
  // other replicas to ask.  0: it waits.
  Duration busy_threshold{0};
  bool fill_cache = true;     // False: a read leaves the block cache as it is.
  uint8_t disk_full_opt = 0;  // Up to which usage of the disk it may write (kvrpcpb.DiskFullOpt).
  MonotonicTime deadline = MonotonicTime::Max();  // Work past it is dropped with ServerIsBusy.
};

}  // namespace tikv::server
