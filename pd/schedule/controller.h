// Runs operators: admits them, sends their orders when regions report, and sees them end.
#pragma once

#include <absl/status/status.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pd/schedule/operator.h"
#include "pd/schedule/view.h"

namespace tikv::pd {

// What the running operators will add to (take from) a store once they are done.
struct Influence {
  int64_t leaders = 0;
  int64_t region_size_mib = 0;
  int64_t regions = 0;
};

// At most one operator per region.  Pure: calls in, orders out.  Not thread-safe; Cluster guards
// it.  Finished operators are remembered for ten minutes.
class OperatorController {
 public:
  // Takes the operator up.  FailedPrecondition when the region changed since it was made, has an
  // operator of the same or a higher priority, or a store's limit is used up; NotFound when the
  // region is gone.  An operator of lower priority is replaced.
  absl::Status Add(const ClusterView& view, Operator op);
  // The region has reported: ends or advances its operator.  True when `order` was filled.
  bool OnHeartbeat(const ClusterView& view, const RegionInfo& region,
                   pdpb::RegionHeartbeatResponse* order);
  // Orders of the operators that were sent last before `before_ms`, again; ends those that ran out
  // of time or whose region is gone.
  std::vector<pdpb::RegionHeartbeatResponse> Resend(const ClusterView& view, int64_t before_ms);
  // FailedPrecondition when the region has none.
  absl::Status Cancel(RegionId region, int64_t now_ms, std::string why);
  void Clear();

  const Operator* Running(RegionId region) const;
  // Running, or the last one that ended.
  const Operator* Latest(RegionId region) const;
  const std::map<RegionId, Operator>& running() const { return running_; }
  const std::deque<Operator>& records() const { return records_; }
  // How many of the running operators are of this kind.
  size_t Count(uint32_t kind) const;
  const Influence& Of(StoreId store) const;
  // Tokens left for one more peer on the store.
  bool HasLimit(const ClusterView& view, StoreId store, bool add, uint64_t region_size_mib) const;

 private:
  struct Tokens {
    double level = 1;
    int64_t updated_ms = 0;
  };
  using TokenKey = std::pair<StoreId, bool>;  // true: peers added.

  void End(std::map<RegionId, Operator>::iterator it, OperatorStatus status, int64_t now_ms,
           std::string why);
  void Apply(const Operator& op, int sign);
  double Level(const ClusterView& view, const TokenKey& key) const;
  void TakeTokens(const ClusterView& view, const Operator& op);
  absl::Status CheckLimits(const ClusterView& view, const Operator& op) const;

  std::map<RegionId, Operator> running_;
  std::deque<Operator> records_;  // The latest at the back.
  std::map<StoreId, Influence> influence_;
  std::map<TokenKey, Tokens> tokens_;
};

}  // namespace tikv::pd
