#include "server/raftstore/apply/region_change.h"

#include <gtest/gtest.h>

namespace tikv::server {
namespace {

using eraftpb::ConfChangeType;
using metapb::PeerRole;

metapb::Region Region(int peers) {
  metapb::Region region;
  region.set_id(1);
  region.set_start_key("a");
  region.set_end_key("z");
  region.mutable_region_epoch()->set_conf_ver(1);
  region.mutable_region_epoch()->set_version(1);
  for (int i = 1; i <= peers; ++i) {
    auto* peer = region.add_peers();
    peer->set_id(100 + i);
    peer->set_store_id(i);
  }
  return region;
}

raft_cmdpb::ChangePeerRequest Change(ConfChangeType type, uint64_t id, uint64_t store) {
  raft_cmdpb::ChangePeerRequest change;
  change.set_change_type(type);
  change.mutable_peer()->set_id(id);
  change.mutable_peer()->set_store_id(store);
  return change;
}

TEST(ChangePeers, LearnerThenVoter) {
  auto region = ChangePeers(Region(1), {Change(ConfChangeType::AddLearnerNode, 102, 2)});
  ASSERT_TRUE(region.ok());
  EXPECT_EQ(FindPeerOnStore(*region, 2)->role(), PeerRole::Learner);
  EXPECT_EQ(region->region_epoch().conf_ver(), 2u);
  region = ChangePeers(*region, {Change(ConfChangeType::AddNode, 102, 2)});
  ASSERT_TRUE(region.ok());
  EXPECT_EQ(FindPeerOnStore(*region, 2)->role(), PeerRole::Voter);
  EXPECT_EQ(region->region_epoch().conf_ver(), 3u);
}

TEST(ChangePeers, JointEntersAndLeaves) {
  auto region = ChangePeers(Region(2), {Change(ConfChangeType::AddNode, 103, 3),
                                        Change(ConfChangeType::AddLearnerNode, 102, 2)});
  ASSERT_TRUE(region.ok());
  EXPECT_TRUE(InJointState(*region));
  EXPECT_EQ(region->region_epoch().conf_ver(), 3u);
  const eraftpb::ConfState conf = ConfStateOf(*region);
  EXPECT_EQ(std::vector<uint64_t>(conf.voters().begin(), conf.voters().end()),
            (std::vector<uint64_t>{101, 103}));
  EXPECT_EQ(std::vector<uint64_t>(conf.voters_outgoing().begin(), conf.voters_outgoing().end()),
            (std::vector<uint64_t>{101, 102}));
  EXPECT_EQ(conf.learners_next(0), 102u);
  region = ChangePeers(*region, {});
  ASSERT_TRUE(region.ok());
  EXPECT_FALSE(InJointState(*region));
  EXPECT_EQ(region->region_epoch().conf_ver(), 5u);
  EXPECT_EQ(FindPeerOnStore(*region, 2)->role(), PeerRole::Learner);
}

TEST(ChangePeers, Refuses) {
  const PeerChanges refused[] = {
      {},                                            // Nothing to leave.
      {Change(ConfChangeType::AddNode, 101, 1)},     // A voter already.
      {Change(ConfChangeType::AddNode, 999, 1)},     // Another peer of that store.
      {Change(ConfChangeType::AddNode, 0, 3)},       // No id.
      {Change(ConfChangeType::RemoveNode, 105, 5)},  // Not there.
      {Change(ConfChangeType::RemoveNode, 999, 1)},  // Another peer of that store.
      {Change(ConfChangeType::AddNode, 103, 3), Change(ConfChangeType::AddNode, 104, 3)},
      {Change(ConfChangeType::AddNode, 103, 3), Change(ConfChangeType::RemoveNode, 102, 2)},
  };
  for (const PeerChanges& changes : refused) EXPECT_FALSE(ChangePeers(Region(2), changes).ok());
  EXPECT_FALSE(ChangePeers(Region(1), {Change(ConfChangeType::RemoveNode, 101, 1)}).ok());
}

raft_cmdpb::BatchSplitRequest Split(std::vector<std::string> keys, int peers) {
  raft_cmdpb::BatchSplitRequest request;
  uint64_t id = 1000;
  for (const std::string& key : keys) {
    auto* part = request.add_requests();
    part->set_split_key(key);
    part->set_new_region_id(id++);
    for (int i = 0; i < peers; ++i) part->add_new_peer_ids(id++);
  }
  return request;
}

TEST(SplitRegions, TheOldIdKeepsTheRight) {
  const auto regions = SplitRegions(Region(2), Split({"f", "m"}, 2));
  ASSERT_TRUE(regions.ok());
  ASSERT_EQ(regions->size(), 3u);
  EXPECT_EQ((*regions)[0].start_key(), "a");
  EXPECT_EQ((*regions)[0].end_key(), "f");
  EXPECT_EQ((*regions)[1].end_key(), "m");
  EXPECT_EQ((*regions)[2].start_key(), "m");
  EXPECT_EQ((*regions)[2].id(), 1u);
  EXPECT_EQ((*regions)[0].peers(1).id(), 1002u);
  for (const auto& region : *regions) EXPECT_EQ(region.region_epoch().version(), 3u);
}

TEST(SplitRegions, Refuses) {
  for (const auto& keys :
       std::vector<std::vector<std::string>>{{}, {"a"}, {"z"}, {"zz"}, {"m", "f"}, {"m", "m"}}) {
    EXPECT_FALSE(SplitRegions(Region(2), Split(keys, 2)).ok());
  }
  EXPECT_FALSE(SplitRegions(Region(2), Split({"m"}, 1)).ok());
}

}  // namespace
}  // namespace tikv::server
