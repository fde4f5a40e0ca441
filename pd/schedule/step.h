// The steps that operators are made of.  A step is one order to a region's leader, and a test on
// what the leader reports that tells whether it has been carried out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "pd/core/region.h"

namespace tikv::pd {

// A peer by its place.
struct PeerAt {
  StoreId store;
  PeerId peer;
};

// The leader hands over to a voter.
struct TransferLeader {
  StoreId from, to;
};
// A new peer that gets the data and does not vote yet.
struct AddLearner {
  PeerAt at;
};
// A learner that has caught up becomes a voter.
struct PromoteLearner {
  PeerAt at;
};
// A peer and its data go.
struct RemovePeer {
  PeerAt at;
};
// Enters a joint configuration: learners become voters and voters learners at once.
struct EnterJoint {
  std::vector<PeerAt> promote, demote;
};
// Ends the joint configuration; only the new voters count from then on.
struct LeaveJoint {
  std::vector<PeerAt> promote, demote;
};
// The region is cut at keys given, or where the store finds fit.
struct SplitRegion {
  pdpb::CheckPolicy policy = pdpb::SCAN;
  std::vector<std::string> keys;  // For USEKEY.
  uint64_t version = 0;           // Of the region when the split was ordered.
};
using Step = std::variant<TransferLeader, AddLearner, PromoteLearner, RemovePeer, EnterJoint,
                          LeaveJoint, SplitRegion>;

// The reported region shows that the step is done.
bool IsFinished(const Step& step, const RegionInfo& region);
// Why the step can no longer be carried out; nullopt while it can.
std::optional<std::string> Obstacle(const Step& step, const RegionInfo& region);
// Writes the order.  REQUIRES: not finished, no obstacle.
void FillOrder(const Step& step, const RegionInfo& region, pdpb::RegionHeartbeatResponse* out);
// By how much the step raises conf_ver at most.
uint64_t ConfVerRise(const Step& step);
// A step that moves data takes longer than one that only changes roles.
int64_t TimeoutMs(const Step& step, uint64_t region_size_mib);
std::string Describe(const Step& step);

}  // namespace tikv::pd
