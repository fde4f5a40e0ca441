// Turns "this region should have these peers and that leader" into an operator.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "pd/schedule/operator.h"
#include "pd/schedule/view.h"

namespace tikv::pd {

// Collects the wanted changes of one region, then Build orders them so that the region keeps its
// quorum at every step: new peers start as learners, voters are exchanged in one joint
// configuration (or one by one when the cluster does not use that), and a leader that is to go
// hands over first.
class OperatorBuilder {
 public:
  // `view` outlives the builder.
  OperatorBuilder(const ClusterView& view, RegionPtr region, std::string desc);
  OperatorBuilder(ClusterView&& view, RegionPtr region, std::string desc) = delete;

  OperatorBuilder& AddPeer(StoreId store);  // As a voter.
  OperatorBuilder& AddLearnerPeer(StoreId store);
  OperatorBuilder& RemovePeerOn(StoreId store);
  OperatorBuilder& Promote(StoreId store);
  OperatorBuilder& SetLeader(StoreId store);

  // FailedPrecondition when the region has no leader, a store has (or lacks) a peer, a store that
  // is to have one is not there or leaves, no voter would be left, nobody can take the lead, or no
  // peer id is at hand.
  absl::StatusOr<Operator> Build(uint32_t kind, std::string brief);

 private:
  OperatorBuilder& AddTo(std::vector<PeerAt>* list, StoreId store);
  absl::Status Prepare();
  // No voter that works may go when those left would not be a majority of themselves.
  absl::Status CheckMajority() const;
  absl::Status PlanJoint();
  absl::Status PlanSimple();
  // Moves the lead away before the leader's peer is touched.
  absl::Status HandOver();
  bool Removes(StoreId store) const;

  const ClusterView& view_;
  RegionPtr region_;
  Operator op_;
  std::vector<PeerAt> adds_, learner_adds_, removes_, promotes_;
  StoreId leader_;          // Wanted in the end; 0: whoever it is.
  StoreId current_leader_;  // After the steps so far.
  absl::Status error_;
};

// Shorthands of the most frequent operators.
absl::StatusOr<Operator> MoveLeader(const ClusterView& view, RegionPtr region, StoreId to,
                                    std::string desc, uint32_t kind);
absl::StatusOr<Operator> MovePeer(const ClusterView& view, RegionPtr region, StoreId from,
                                  StoreId to, std::string desc, uint32_t kind);
Operator LeaveJointState(const ClusterView& view, const RegionInfo& region);
Operator SplitAt(const ClusterView& view, const RegionInfo& region, pdpb::CheckPolicy policy,
                 std::vector<std::string> keys, std::string desc, uint32_t kind);

}  // namespace tikv::pd
