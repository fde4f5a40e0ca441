// Checkers: what one region needs in order to be as replicated as it should be.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "pd/schedule/controller.h"
#include "pd/schedule/operator.h"
#include "pd/schedule/view.h"

namespace tikv::pd {

// Looks at one region at a time; the first thing that is wrong makes the operator:
// a joint configuration left behind, a stray learner, a peer that is down, a peer on a store that
// is to be removed, too few peers, too many peers, a badly spread peer.
class ReplicaChecker {
 public:
  // `controller` must outlive the checker.
  explicit ReplicaChecker(const OperatorController* controller) : controller_(controller) {}

  // nullopt when the region is well, cannot be helped now, or the checker in charge is paused.
  std::optional<Operator> Check(const ClusterView& view, RegionPtr region) const;

  // The checkers that the admin API knows by name.
  static bool Known(const std::string& name);
  // Until then the checker does nothing; a time in the past resumes it.  REQUIRES: Known(name).
  void Pause(const std::string& name, int64_t until_ms) { paused_until_ms_[name] = until_ms; }
  bool Paused(const std::string& name, int64_t now_ms) const;

 private:
  using Result = std::optional<Operator>;
  // Moves the peer elsewhere, or only removes it when there are peers enough.
  Result Replace(const ClusterView& view, const RegionPtr& region, const metapb::Peer& peer,
                 const std::string& why) const;
  Result CheckLearner(const ClusterView& view, const RegionPtr& region) const;
  Result CheckDown(const ClusterView& view, const RegionPtr& region) const;
  Result CheckOffline(const ClusterView& view, const RegionPtr& region) const;
  Result CheckCount(const ClusterView& view, const RegionPtr& region) const;
  Result CheckLocation(const ClusterView& view, const RegionPtr& region) const;

  const OperatorController* controller_;
  std::map<std::string, int64_t> paused_until_ms_;
};

}  // namespace tikv::pd
