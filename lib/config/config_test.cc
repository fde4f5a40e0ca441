#include "lib/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/status.h"

namespace tikv::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

struct RaftstoreConfig {
  uint64_t raft_log_gc_threshold = 50;
  Duration raft_base_tick_interval = std::chrono::milliseconds(100);
  Size region_split_size = Size::MiB(256);
  bool hibernate_regions = true;

  void Visit(Visitor& v) {
    v.Field("raft-log-gc-threshold", raft_log_gc_threshold,
            {.online = true, .min = 1, .max = 1000});
    v.Field("raft-base-tick-interval", raft_base_tick_interval, {.min = 1e6, .max = 60e9});
    v.Field("region-split-size", region_split_size, {.online = true});
    v.Field("hibernate-regions", hibernate_regions);
  }
};

struct FileConfig {
  std::string filename;
  uint32_t max_size = 300;

  void Visit(Visitor& v) {
    v.Field("filename", filename);
    v.Field("max-size", max_size);
  }
};

struct LogConfig {
  std::string level = "info";
  FileConfig file;

  void Visit(Visitor& v) {
    v.Field("level", level, {.online = true, .one_of = {"debug", "info", "warn"}});
    v.Section("file", file);
  }
};

struct TestConfig {
  std::string addr = "127.0.0.1:20160";
  double ratio = 1.1;
  std::map<std::string, std::string> labels;
  std::vector<std::string> location_labels;
  std::string secret = "s";
  LogConfig log;
  RaftstoreConfig raftstore;

  void Visit(Visitor& v) {
    v.Field("addr", addr);
    v.Field("ratio", ratio, {.online = true, .min = 0});
    v.Section("log", log);
    v.Field("labels", labels);
    v.Field("location-labels", location_labels, {.online = true, .comma_list = true});
    v.Field("secret", secret, {.hidden = true});
    v.Section("raftstore", raftstore);
  }
  absl::Status Validate() const {
    if (ratio > 10 && raftstore.raft_log_gc_threshold < 10) {
      return InvalidArgument("ratio and threshold do not fit");
    }
    return absl::OkStatus();
  }
};

std::vector<std::string> Load(const std::string& text, TestConfig* config) {
  const auto warnings = LoadToml(text, "tikv.toml", false, config);
  EXPECT_TRUE(warnings.ok()) << warnings.status();
  return warnings.ok() ? *warnings : std::vector<std::string>();
}

// What is said about a broken file.
std::string Refused(const std::string& text) {
  TestConfig config;
  const auto result = LoadToml(text, "tikv.toml", false, &config);
  return result.ok() ? "accepted" : std::string(Message(result.status()));
}

TEST(LoadTest, StoresWhatTheFileSaysAndKeepsDefaults) {
  TestConfig config;
  EXPECT_THAT(Load(R"(
addr = "0.0.0.0:1"
ratio = 2
location-labels = ["zone", "host"]
[labels]
zone = "z1"
[log]
level = "warn"
[log.file]
filename = "/x/y.log"
[raftstore]
raft-log-gc-threshold = 77
raft-base-tick-interval = "1s"
region-split-size = "96MB"
hibernate-regions = false
)",
                   &config),
              IsEmpty());
  EXPECT_EQ(config.addr, "0.0.0.0:1");
  EXPECT_EQ(config.ratio, 2);
  EXPECT_THAT(config.location_labels, ElementsAre("zone", "host"));
  EXPECT_THAT(config.labels, ElementsAre(Pair("zone", "z1")));
  EXPECT_EQ(config.log.level, "warn");
  EXPECT_EQ(config.log.file.filename, "/x/y.log");
  EXPECT_EQ(config.log.file.max_size, 300u);
  EXPECT_EQ(config.raftstore.raft_log_gc_threshold, 77u);
  EXPECT_EQ(config.raftstore.raft_base_tick_interval, std::chrono::seconds(1));
  EXPECT_EQ(config.raftstore.region_split_size, Size::MiB(96));
  EXPECT_FALSE(config.raftstore.hibernate_regions);
}

TEST(LoadTest, UnknownKeysAreWarningsOrErrors) {
  const std::string text =
      "adr = 1\nlocation-labels = \"zone,host\"\n[labels]\na = \"b\"\n"
      "[log]\nlevle = \"info\"\n[rocksdb.defaultcf]\nx = 1\n";
  TestConfig config;
  EXPECT_THAT(Load(text, &config),
              ElementsAre("tikv.toml:1: unknown key adr", "tikv.toml:6: unknown key log.levle",
                          "tikv.toml:7: unknown key rocksdb"));
  EXPECT_THAT(config.location_labels, ElementsAre("zone", "host"));
  EXPECT_THAT(config.labels, ElementsAre(Pair("a", "b")));
  const auto strict = LoadToml(text, "tikv.toml", true, &config);
  EXPECT_EQ(Message(strict.status()), "tikv.toml:1: unknown key adr");
}

TEST(LoadTest, ErrorsNameFileLineKeyValueAndWhatIsExpected) {
  EXPECT_EQ(Refused("\nratio = \"big\""), "tikv.toml:2: ratio = \"big\": expected a number");
  EXPECT_EQ(Refused("[raftstore]\nraft-base-tick-interval = 1"),
            "tikv.toml:2: raftstore.raft-base-tick-interval = 1: expected a duration such as "
            "\"1s\" or \"10ms\"");
  EXPECT_EQ(Refused("[raftstore]\nraft-base-tick-interval = \"2h\""),
            "tikv.toml:2: raftstore.raft-base-tick-interval = \"2h\": expected 1ms to 1m");
  EXPECT_EQ(Refused("[raftstore]\nregion-split-size = \"many\""),
            "tikv.toml:2: raftstore.region-split-size = \"many\": expected a size such as "
            "\"96MiB\"");
  EXPECT_EQ(Refused("[raftstore]\nraft-log-gc-threshold = 0"),
            "tikv.toml:2: raftstore.raft-log-gc-threshold = 0: expected 1 to 1000");
  EXPECT_EQ(Refused("[raftstore]\nraft-log-gc-threshold = -1"),
            "tikv.toml:2: raftstore.raft-log-gc-threshold = -1: must not be negative");
  EXPECT_EQ(Refused("[log]\nlevel = \"loud\""),
            "tikv.toml:2: log.level = \"loud\": expected one of \"debug\", \"info\", \"warn\"");
  EXPECT_EQ(Refused("ratio = -0.5"), "tikv.toml:1: ratio = -0.5: expected at least 0");
  EXPECT_EQ(Refused("ratio = inf"), "tikv.toml:1: ratio = null: expected a finite number");
  EXPECT_EQ(Refused("log = 1"), "tikv.toml:1: log = 1: expected a table");
  EXPECT_EQ(Refused("addr = 1979-05-27"), "tikv.toml:1: addr = null: expected a text");
  EXPECT_EQ(Refused("[log.file]\nmax-size = 4294967296"),
            "tikv.toml:2: log.file.max-size = 4294967296: too large");
  EXPECT_THAT(Refused("a = 1\nb ="), HasSubstr("tikv.toml:2: "));
  EXPECT_THAT(Refused("a = 1\na = 2"), HasSubstr("tikv.toml:2: "));
}

TEST(DumpTest, TomlIsReadBack) {
  TestConfig config;
  config.labels = {{"odd key", "a\"b\n"}};
  config.location_labels = {"zone", "host"};
  config.ratio = 3;
  config.raftstore.raft_base_tick_interval = std::chrono::milliseconds(1500);
  const std::string text = ToToml(config);
  TestConfig read;
  EXPECT_THAT(Load(text, &read), IsEmpty());
  EXPECT_EQ(ToToml(read), text);
  EXPECT_EQ(read.labels, config.labels);
  EXPECT_THAT(text, HasSubstr("ratio = 3.0\n"));
  EXPECT_THAT(text, HasSubstr("\n[log.file]\nfilename = \"\"\nmax-size = 300\n"));
  EXPECT_THAT(text, HasSubstr("raft-base-tick-interval = \"1s500ms\"\n"));
}

TEST(DumpTest, JsonHasTheSameNames) {
  TestConfig config;
  config.location_labels = {"zone", "host"};
  config.raftstore.raft_base_tick_interval = std::chrono::minutes(90);
  EXPECT_EQ(ToJson(config, DurationStyle::kGo), R"({
  "addr": "127.0.0.1:20160",
  "ratio": 1.1,
  "log": {
    "level": "info",
    "file": {
      "filename": "",
      "max-size": 300
    }
  },
  "labels": {},
  "location-labels": "zone,host",
  "raftstore": {
    "raft-log-gc-threshold": 50,
    "raft-base-tick-interval": "1h30m0s",
    "region-split-size": "256MiB",
    "hibernate-regions": true
  }
})");
}

std::string Changed(const std::string& json, TestConfig* config) {
  const absl::Status status = ChangeByJson(json, /*online_only=*/true, config);
  return status.ok() ? "ok" : std::string(Message(status));
}

TEST(ChangeTest, DottedAndNestedNames) {
  TestConfig config;
  EXPECT_EQ(
      Changed(R"({"raftstore.raft-log-gc-threshold": 77, "log": {"level": "debug"}})", &config),
      "ok");
  EXPECT_EQ(config.raftstore.raft_log_gc_threshold, 77u);
  EXPECT_EQ(config.log.level, "debug");
  EXPECT_EQ(Changed(R"({"raftstore.region-split-size": "1GiB"})", &config), "ok");
  EXPECT_EQ(config.raftstore.region_split_size, Size::GiB(1));
}

TEST(ChangeTest, AllOrNothing) {
  TestConfig config;
  const std::string before = ToJson(config);
  for (const auto& [json, why] : std::map<std::string, std::string>{
           {R"({"raftstore.raft-log-gc-threshold": 77, "raftstore.no-such-key": 1})",
            "unknown key raftstore.no-such-key"},
           {R"({"addr": "x"})", "addr = \"x\": cannot be changed while the program runs"},
           {R"({"raftstore.raft-log-gc-threshold": "many"})",
            "raftstore.raft-log-gc-threshold = \"many\": expected an integer"},
           {R"({"raftstore.raft-log-gc-threshold": 0})",
            "raftstore.raft-log-gc-threshold = 0: expected 1 to 1000"},
           {R"({"ratio": 11, "raftstore.raft-log-gc-threshold": 5})",
            "ratio and threshold do not fit"},
           {R"({"log.level": "info", "log": {"level": "warn"}})", "log.level is given twice"},
           {R"({"a.b.c.d.e.f.g.h.i.j.k.l": 1})", "too many dots in a key"},
           {"raftstore", "not JSON"},
           {"[1,2]", "not a JSON object"},
           {R"({"a": [[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]})", "nested too deep"},
       }) {
    EXPECT_EQ(Changed(json, &config), why) << json;
  }
  EXPECT_EQ(ToJson(config), before);
}

TEST(ChangeTest, ADeepOrLongRequestIsRefusedCheaply) {
  TestConfig config;
  std::string many = "{";
  for (int i = 0; i < 5000; ++i) many += fmt::format("{}\"k{}\": 1", i == 0 ? "" : ",", i);
  EXPECT_EQ(Changed(many + "}", &config), "more than 1024 members");
  EXPECT_EQ(
      Changed("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", &config),
      "nested too deep");
}

TEST(ListTest, KeysAreDotted) {
  const auto keys = ListKeys(TestConfig());
  ASSERT_EQ(keys.size(), 12u);
  EXPECT_EQ(keys[0].key, "addr");
  EXPECT_FALSE(keys[0].online);
  EXPECT_EQ(keys[2].key, "log.level");
  EXPECT_EQ(keys[3].key, "log.file.filename");
  EXPECT_EQ(keys[5].key, "labels");
  EXPECT_EQ(keys[8].key, "raftstore.raft-log-gc-threshold");
  EXPECT_TRUE(keys[8].online);
}

TEST(LiveTest, ObserversSeeEveryChange) {
  Live<TestConfig> live{TestConfig()};
  std::vector<uint64_t> seen;
  live.Observe([&](const TestConfig& c) {
    seen.push_back(c.raftstore.raft_log_gc_threshold);
    return absl::OkStatus();
  });
  const auto old = live.Get();
  EXPECT_TRUE(live.Change(R"({"raftstore.raft-log-gc-threshold": 60})").ok());
  EXPECT_FALSE(live.Change(R"({"raftstore.raft-log-gc-threshold": 0})").ok());
  EXPECT_THAT(seen, ElementsAre(60));
  EXPECT_EQ(old->raftstore.raft_log_gc_threshold, 50u);
  EXPECT_EQ(live.Get()->raftstore.raft_log_gc_threshold, 60u);
}

TEST(LiveTest, WhatAnObserverCannotTakeOverIsUndone) {
  Live<TestConfig> live{TestConfig()};
  std::vector<uint64_t> seen;
  live.Observe([&](const TestConfig& c) {
    seen.push_back(c.raftstore.raft_log_gc_threshold);
    return absl::OkStatus();
  });
  live.Observe([&](const TestConfig& c) {
    return c.raftstore.raft_log_gc_threshold > 70 ? InvalidArgument("too much") : absl::OkStatus();
  });
  EXPECT_EQ(live.Change(R"({"raftstore.raft-log-gc-threshold": 71})").message(), "too much");
  EXPECT_THAT(seen, ElementsAre(71, 50));
  EXPECT_EQ(live.Get()->raftstore.raft_log_gc_threshold, 50u);
}

TEST(PutIntoTomlTest, OnlyWhatTheChangeNames) {
  TestConfig config;
  const std::string change = R"({"raftstore.raft-log-gc-threshold": 77, "log": {"level": "warn"}})";
  ASSERT_EQ(Changed(change, &config), "ok");
  const auto text = PutIntoToml("[log]\nlevel = \"info\"  # quiet\n", change, config);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "[log]\nlevel = \"warn\" # quiet\n\n[raftstore]\nraft-log-gc-threshold = 77\n");
}

}  // namespace
}  // namespace tikv::config
