#include "server/raftstore/router/read_delegates.h"

#include <gtest/gtest.h>

namespace tikv::server {
namespace {

class ReadDelegatesTest : public testing::Test {
 protected:
  ReadDelegatesTest() {
    auto range = std::make_shared<RegionRange>();
    range->id = RegionId(7);
    range->peer = PeerId(70);
    range->version = 3;
    range->term = 9;
    delegate_ = std::make_shared<ReadDelegate>();
    delegate_->range = range;
    delegate_->lease_until = 1000;
    delegates_.Publish(RegionId(7), delegate_);
    good_ = {.region = RegionId(7), .peer = PeerId(70), .store = StoreId(1), .version = 3};
  }
  bool Serves(RequestHeader header, int64_t now = 999) {
    return delegates_.Find(header, MonotonicTime{now}) != nullptr;
  }
  ReadDelegates delegates_{StoreId(1)};
  std::shared_ptr<ReadDelegate> delegate_;
  RequestHeader good_;
};

TEST_F(ReadDelegatesTest, EveryFieldMustFit) {
  EXPECT_TRUE(Serves(good_));
  RequestHeader bad = good_;
  bad.region = RegionId(8);
  EXPECT_FALSE(Serves(bad));
  bad = good_;
  bad.peer = PeerId(71);
  EXPECT_FALSE(Serves(bad));
  bad = good_;
  bad.store = StoreId(2);
  EXPECT_FALSE(Serves(bad));
  bad = good_;
  bad.version = 4;
  EXPECT_FALSE(Serves(bad));
  bad = good_;
  bad.term = 7;
  EXPECT_FALSE(Serves(bad));
  bad.term = 8;
  EXPECT_TRUE(Serves(bad));
}

TEST_F(ReadDelegatesTest, TheLeaseEnds) {
  EXPECT_FALSE(Serves(good_, 1000));
  delegate_->lease_until = 2000;
  EXPECT_TRUE(Serves(good_, 1999));
  delegates_.Withdraw(RegionId(7));
  EXPECT_FALSE(Serves(good_, 1999));
}

}  // namespace
}  // namespace tikv::server
