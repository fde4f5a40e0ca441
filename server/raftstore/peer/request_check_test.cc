#include "server/raftstore/peer/request_check.h"

#include <gtest/gtest.h>

#include "proto/errorpb.pb.h"

namespace tikv::server {
namespace {

class RequestCheckTest : public testing::Test {
 protected:
  RequestCheckTest() {
    region_.set_id(7);
    state_ = {.store = StoreId(1),
              .peer = PeerId(70),
              .region = &region_,
              .initialized = true,
              .leads = true,
              .term = 9};
    good_ = {.region = RegionId(7), .peer = PeerId(70), .store = StoreId(1)};
  }
  RegionError Check(const RequestHeader& header, CheckKind kind = CheckKind::kLeaderRequest) {
    return CheckReplica(header, state_, kind);
  }
  metapb::Region region_;
  ReplicaState state_;
  RequestHeader good_;
};

TEST_F(RequestCheckTest, TheFirstMismatchWins) {
  EXPECT_FALSE(Check(good_));
  RequestHeader bad = good_;
  bad.term = 1;
  EXPECT_TRUE(Check(bad).proto().has_stale_command());
  state_.applying_snapshot = true;
  EXPECT_NE(Check(bad).message().find("applying"), std::string_view::npos);
  state_.initialized = false;
  EXPECT_TRUE(Check(bad).proto().has_region_not_initialized());
  state_.leads = false;
  EXPECT_TRUE(Check(bad).proto().has_not_leader());
  bad.peer = PeerId(71);
  EXPECT_TRUE(Check(bad).proto().has_mismatch_peer_id());
  bad.store = StoreId(2);
  EXPECT_TRUE(Check(bad).proto().has_store_not_match());
}

TEST_F(RequestCheckTest, FollowersServeReplicaReads) {
  state_.leads = false;
  EXPECT_FALSE(Check(good_, CheckKind::kReplicaRead));
}

TEST_F(RequestCheckTest, OneTermOfGrace) {
  RequestHeader header = good_;
  header.term = 8;
  EXPECT_FALSE(Check(header));
  header.term = 7;
  EXPECT_TRUE(Check(header));
  header.term = 100;
  EXPECT_FALSE(Check(header));
}

}  // namespace
}  // namespace tikv::server
