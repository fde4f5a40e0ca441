// How membership changes and splits change a region: pure functions over metapb::Region.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "proto/eraftpb.pb.h"
#include "proto/metapb.pb.h"
#include "proto/raft_cmdpb.pb.h"

namespace tikv::server {

using PeerChanges = std::vector<raft_cmdpb::ChangePeerRequest>;

// nullptr when there is none.
const metapb::Peer* FindPeerOnStore(const metapb::Region& region, uint64_t store_id);
const metapb::Peer* FindPeerById(const metapb::Region& region, uint64_t peer_id);
bool InJointState(const metapb::Region& region);

// The region after the changes: none = leave the joint state, one = simple, several = enter the
// joint state.  conf_ver grows by the number of changes (of role changes when leaving).
// InvalidArgument when the rules forbid them: duplicates, a role that does not fit, a voter
// removed in joint mode, joint state entered twice or left when there is none.
absl::StatusOr<metapb::Region> ChangePeers(const metapb::Region& region,
                                           const PeerChanges& changes);

// The same change for the consensus core; `context` travels with it.
eraftpb::ConfChangeV2 ToConfChange(const PeerChanges& changes, std::string context);
// The configuration that the roles of a region's peers describe.
eraftpb::ConfState ConfStateOf(const metapb::Region& region);

// The changes that an admin request (ChangePeer or ChangePeerV2) asks for.
PeerChanges ChangesOf(const raft_cmdpb::AdminRequest& request);

// Left to right; the last one keeps the id.  Each new region has the old one's peers with new ids,
// and version grows by the number of new regions on all.  InvalidArgument when keys are not
// ascending strictly inside the region or ids are missing.
absl::StatusOr<std::vector<metapb::Region>> SplitRegions(
    const metapb::Region& region, const raft_cmdpb::BatchSplitRequest& request);

}  // namespace tikv::server
