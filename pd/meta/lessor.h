// When leases end.  Only the leader's clock counts; the state machine knows ids and TTLs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "lib/env/clock.h"

namespace tikv::pd::meta {

// A pure object.  Expiry needs two steps: TakeExpired names a lease once, and the lease stays until
// Remove (its revocation was applied); if that does not happen soon, it is named again.
class Lessor {
 public:
  // Leadership begins: every lease lives on for its TTL plus `grace`, since nobody knows when the
  // last leader renewed it.
  void Promote(const std::map<int64_t, int64_t>& leases, MonotonicTime now, Duration grace);
  // Leadership ended: nothing expires here.
  void Demote();
  bool primary() const { return primary_; }

  void Grant(int64_t id, int64_t ttl_seconds, MonotonicTime now);
  void Remove(int64_t id);
  // The TTL in seconds, or nullopt for a lease that does not exist or has expired.
  std::optional<int64_t> Renew(int64_t id, MonotonicTime now);
  // Whole seconds left (rounded down, never below 0), or nullopt.
  std::optional<int64_t> Remaining(int64_t id, MonotonicTime now) const;

  // At most `limit` leases whose time is up.
  std::vector<int64_t> TakeExpired(MonotonicTime now, size_t limit);

 private:
  struct Lease {
    int64_t ttl_seconds = 0;
    MonotonicTime expiry;  // Under which it stands in the queue.
    bool expired = false;
  };
  void Schedule(int64_t id, Lease* lease, MonotonicTime expiry);

  bool primary_ = false;
  std::map<int64_t, Lease> leases_;
  std::set<std::pair<MonotonicTime, int64_t>> queue_;
};

}  // namespace tikv::pd::meta
