#include "client/driver/region_cache.h"

#include <gtest/gtest.h>

namespace tikv::client {
namespace {

RegionPtr Make(uint64_t id, std::string start, std::string end, uint64_t version = 1) {
  auto r = std::make_shared<Region>();
  r->meta.set_id(id);
  r->meta.mutable_region_epoch()->set_version(version);
  for (uint64_t store = 1; store <= 3; ++store) {
    auto* peer = r->meta.add_peers();
    peer->set_id(id * 10 + store);
    peer->set_store_id(store);
  }
  r->leader = r->meta.peers(0);
  r->start = std::move(start);
  r->end = std::move(end);
  return r;
}

uint64_t IdOf(const RegionPtr& region) { return region == nullptr ? 0 : region->meta.id(); }

TEST(RegionCache, FindsByKeyAndFromBehind) {
  RegionCache cache;
  cache.Insert(Make(1, "", "b"));
  cache.Insert(Make(2, "b", "d"));
  cache.Insert(Make(4, "f", ""));
  EXPECT_EQ(IdOf(cache.Find("")), 1u);
  EXPECT_EQ(IdOf(cache.Find("b")), 2u);
  EXPECT_EQ(IdOf(cache.Find("b", /*before=*/true)), 1u);
  EXPECT_EQ(IdOf(cache.Find("c", true)), 2u);
  EXPECT_EQ(IdOf(cache.Find("d")), 0u) << "a hole";
  EXPECT_EQ(IdOf(cache.Find("f", true)), 0u) << "what is just before f is unknown";
  EXPECT_EQ(IdOf(cache.Find("zzz")), 4u);
  EXPECT_EQ(IdOf(cache.Find("", true)), 4u) << "the end of the key space";
}

TEST(RegionCache, NewerReplacesWhatItOverlaps) {
  RegionCache cache;
  cache.Insert(Make(1, "", ""));
  cache.Insert(Make(1, "m", "", 2));
  EXPECT_EQ(IdOf(cache.Find("a")), 0u) << "the old one may not answer for the left part";
  cache.Insert(Make(2, "", "m", 2));
  EXPECT_EQ(IdOf(cache.Find("a")), 2u);
  cache.Insert(Make(1, "", "", 1));
  EXPECT_EQ(IdOf(cache.Find("a")), 2u) << "an older one changes nothing";
}

TEST(RegionCache, SwitchLeaderAndInvalidateOnlyTheCurrentOne) {
  RegionCache cache;
  const RegionPtr old = Make(1, "", "");
  cache.Insert(old);
  EXPECT_TRUE(cache.SwitchLeader(old, old->meta.peers(2)));
  EXPECT_EQ(cache.Find("x")->leader.store_id(), 3u);
  metapb::Peer stranger;
  stranger.set_id(999);
  EXPECT_FALSE(cache.SwitchLeader(old, stranger));
  cache.Invalidate(old);
  EXPECT_EQ(IdOf(cache.Find("x")), 1u) << "somebody has changed it since";
  cache.Invalidate(cache.Find("x"));
  EXPECT_EQ(IdOf(cache.Find("x")), 0u);
}

}  // namespace
}  // namespace tikv::client
