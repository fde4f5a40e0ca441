// Stores, configuration, durations.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "pd/core/config.h"
#include "pd/core/duration.h"
#include "pd/core/store.h"

namespace tikv::pd {
namespace {

using Json = Config::Json;

metapb::Store Store(uint64_t id, std::string address, std::string version = "8.5.0") {
  metapb::Store s;
  s.set_id(id);
  s.set_address(std::move(address));
  s.set_version(std::move(version));
  return s;
}

void Label(metapb::Store* s, const char* key, const char* value) {
  s->add_labels()->set_key(key);
  s->mutable_labels(s->labels_size() - 1)->set_value(value);
}

const Version kCluster{8, 5, 0, ""};

TEST(Duration, RoundTrips) {
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0s"},          {10'000'000, "10ms"},     {1'500'000'000, "1.5s"}, {90e9, "1m30s"},
      {3600e9, "1h0m0s"}, {48 * 3600e9, "48h0m0s"}, {300'000'000, "300ms"},  {1'500, "1.5µs"}};
  for (const auto& [nanos, text] : cases) {
    EXPECT_EQ(FormatDuration(nanos), text);
    EXPECT_EQ(ParseDuration(text), nanos) << text;
  }
  EXPECT_EQ(ParseDuration("1h30m"), 5400'000'000'000);
  for (const char* bad : {"", "x", "5", "1y", "-1s", "1e300h"}) {
    EXPECT_FALSE(ParseDuration(bad).has_value()) << bad;
  }
  EXPECT_EQ(FormatTime(1'700'000'000'500'000'000), "2023-11-14T22:13:20.5Z");
}

TEST(Version, ParsesAndCompares) {
  EXPECT_EQ(Version::Parse("v8.5.4")->Text(), "8.5.4");
  EXPECT_EQ(Version::Parse("8.5.0-alpha+x")->Text(), "8.5.0-alpha");
  for (const char* bad : {"", "8", "8.5", "eight", "8.5.x"}) {
    EXPECT_FALSE(Version::Parse(bad).ok()) << bad;
  }
  EXPECT_TRUE(Version::Parse("8.5.1")->CompatibleWith(kCluster));
  EXPECT_TRUE(Version::Parse("9.0.0")->CompatibleWith(kCluster));
  EXPECT_FALSE(Version::Parse("2.0.0")->CompatibleWith(kCluster));
}

TEST(StoreTable, RegistersAndMerges) {
  StoreTable t;
  auto first = Store(1, "a:1");
  Label(&first, "zone", "z1");
  Label(&first, "host", "h1");
  ASSERT_TRUE(t.Put(first, kCluster, 1000).ok());
  auto again = Store(1, "b:1", "8.5.1");
  Label(&again, "zone", "z2");
  ASSERT_TRUE(t.Put(again, kCluster, 1000).ok());
  const StoreInfo* s = t.Find(StoreId(1));
  EXPECT_EQ(s->meta.address(), "b:1");
  EXPECT_EQ(s->Label("ZONE"), "z2");
  EXPECT_EQ(s->Label("host"), "h1");
}

TEST(StoreTable, Refuses) {
  StoreTable t;
  ASSERT_TRUE(t.Put(Store(1, "a:1"), kCluster, 0).ok());
  auto text = [&](const metapb::Store& s) {
    return std::string(Message(t.Put(s, kCluster, 0).status()));
  };
  EXPECT_NE(text(Store(0, "b:1")).find("invalid put store"), std::string::npos);
  EXPECT_NE(text(Store(2, "a:1")).find("duplicated store address"), std::string::npos);
  EXPECT_NE(text(Store(2, "b:1", "eight")).find("eight"), std::string::npos);
  EXPECT_NE(text(Store(2, "b:1", "2.0.0")).find("version"), std::string::npos);
  auto odd = Store(2, "b:1");
  Label(&odd, "d c", "x");
  EXPECT_NE(text(odd).find("does not match format"), std::string::npos);
  EXPECT_EQ(t.all().size(), 1u) << "a refused store leaves nothing behind";
}

TEST(StoreTable, LivesAndDies) {
  StoreTable t;
  for (uint64_t id : {1, 2, 3, 4}) {
    ASSERT_TRUE(t.Put(Store(id, fmt::format("s{}:1", id)), kCluster, 0).ok());
  }
  const StoreId id(1);
  EXPECT_TRUE(absl::IsNotFound(t.Remove(StoreId(9), false, 3)));
  EXPECT_TRUE(absl::IsFailedPrecondition(t.Remove(id, false, 4))) << "too few would be left";
  ASSERT_TRUE(t.Remove(id, false, 3).ok());
  ASSERT_TRUE(t.Remove(id, false, 3).ok()) << "again";
  EXPECT_EQ(t.Find(id)->StateName(0, 1000), "Offline");
  ASSERT_TRUE(t.Restore(id).ok());
  EXPECT_TRUE(t.Find(id)->up());
  ASSERT_TRUE(t.Remove(id, true, 3).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(t.Restore(id))) << "destroyed";
  ASSERT_TRUE(t.Put(Store(5, "s1:1"), kCluster, 0).ok()) << "its address is free";
  EXPECT_FALSE(t.Bury(id, 3).ok());
  ASSERT_TRUE(t.Bury(id, 0).ok());
  EXPECT_TRUE(absl::IsOutOfRange(t.Remove(id, false, 1)));
  EXPECT_TRUE(absl::IsOutOfRange(t.Put(Store(1, "s1:1"), kCluster, 0).status()));
  pdpb::StoreStats stats;
  stats.set_store_id(1);
  EXPECT_TRUE(absl::IsOutOfRange(t.Heartbeat(stats, 0)));
  EXPECT_EQ(t.Find(id)->meta.node_state(), metapb::Removed);
}

TEST(StoreInfo, NamesItsState) {
  StoreInfo s;
  s.meta.set_last_heartbeat(0);
  EXPECT_EQ(s.StateName(kDisconnectedMs, 60'000), "Up");
  EXPECT_EQ(s.StateName(kDisconnectedMs + 1, 60'000), "Disconnected");
  EXPECT_EQ(s.StateName(60'001, 60'000), "Down");
}

TEST(Config, KnowsItsDefaults) {
  Config c;
  EXPECT_EQ(c.schedule().leader_schedule_limit, 4u);
  EXPECT_EQ(c.schedule().max_store_down_ms, 30 * 60'000);
  EXPECT_TRUE(c.schedule().joint_consensus);
  EXPECT_EQ(c.replication().max_replicas, 3u);
  EXPECT_EQ(c.key_type(), "table");
}

TEST(Config, TakesValuesOfTheRightKind) {
  Config c;
  ASSERT_TRUE(c.Update({{"leader-schedule-limit", 5},
                        {"schedule.enable-joint-consensus", false},
                        {"max-store-down-time", "1h"},
                        {"max-replicas", 5},
                        {"location-labels", {"zone", "host"}}})
                  .ok());
  EXPECT_EQ(c.schedule().leader_schedule_limit, 5u);
  EXPECT_FALSE(c.schedule().joint_consensus);
  EXPECT_EQ(c.Section("schedule").at("max-store-down-time"), "1h0m0s");
  EXPECT_EQ(c.replication().location_labels, (std::vector<std::string>{"zone", "host"}));
}

TEST(Config, RefusesWithoutChangingAnything) {
  const std::pair<Json, const char*> cases[] = {
      {{{"nosuch", 4}}, "config item nosuch not found"},
      {{{"schedule.nosuch", 4}}, "config item nosuch not found"},
      {{{"leader-schedule-limit", "x"}}, "cannot unmarshal string"},
      {{{"leader-schedule-limit", -1}}, "cannot unmarshal number -1"},
      {{{"max-replicas", 7}, {"low-space-ratio", 3}}, "low-space-ratio should between 0 and 1"},
      {{{"isolation-level", "rack"}}, "isolation-level must be one of location-labels or empty"},
      {{{"max-store-down-time", "x"}}, "invalid duration"},
      {{{"max-replicas", 0}}, "max-replicas"},
      {{{"store-limit", {{"x", 1}}}}, "store-limit is invalid"},
      {Json::array(), "cannot unmarshal array"},
  };
  for (const auto& [items, text] : cases) {
    Config c;
    absl::Status s = c.Update(items);
    EXPECT_FALSE(s.ok()) << items.dump();
    EXPECT_NE(std::string(Message(s)).find(text), std::string::npos) << Message(s);
    EXPECT_EQ(c.document(), Config::Defaults()) << items.dump();
  }
}

TEST(Config, ForgetsTemporaryValues) {
  Config c;
  ASSERT_TRUE(c.SetTemporary({{"schedule.leader-schedule-limit", 77}}, 1000).ok());
  EXPECT_EQ(c.schedule().leader_schedule_limit, 77u);
  EXPECT_EQ(c.Section("schedule").at("leader-schedule-limit"), 4);
  c.ExpireTemporary(999);
  EXPECT_EQ(c.schedule().leader_schedule_limit, 77u);
  c.ExpireTemporary(1000);
  EXPECT_EQ(c.schedule().leader_schedule_limit, 4u);
  EXPECT_FALSE(c.SetTemporary({{"schedule.nosuch", 9}}, 1).ok());
}

TEST(Config, PersistsWhatWasChanged) {
  Config a;
  ASSERT_TRUE(a.Update({{"leader-schedule-limit", 9}}).ok());
  ASSERT_TRUE(a.SetLabelProperty("reject-leader", "set", "zone", "z1").ok());
  ASSERT_TRUE(a.SetClusterVersion("8.5.1").ok());
  a.SetStoreLimit(StoreId(7), "add-peer", 30);
  Config b;
  ASSERT_TRUE(b.Load(a.Serialize()).ok());
  EXPECT_EQ(b.document(), a.document());
  EXPECT_EQ(b.schedule().LimitOf(StoreId(7)).add_peer, 30);
  EXPECT_EQ(b.schedule().LimitOf(StoreId(7)).remove_peer, 15);
  StoreInfo store;
  Label(&store.meta, "zone", "z1");
  EXPECT_TRUE(b.RejectsLeader(store));
  EXPECT_FALSE(b.Load("[]").ok());
  // Of a release with other kinds of values.
  Config old;
  ASSERT_TRUE(old.Load(R"({"schedule": {"leader-schedule-limit": "x", "gone": 1}})").ok());
  EXPECT_EQ(old.schedule().leader_schedule_limit, 4u);
}

}  // namespace
}  // namespace tikv::pd
