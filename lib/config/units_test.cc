#include "lib/config/units.h"

#include <gtest/gtest.h>

namespace tikv::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(SizeTest, ParsesUnits) {
  EXPECT_EQ(ParseSize("96MiB")->bytes, 96u << 20);
  EXPECT_EQ(ParseSize("96MB")->bytes, 96u << 20);
  EXPECT_EQ(ParseSize("96 mb")->bytes, 96u << 20);
  EXPECT_EQ(ParseSize("1.5G")->bytes, 3ull << 29);
  EXPECT_EQ(ParseSize("2TiB")->bytes, 2ull << 40);
  EXPECT_EQ(ParseSize("512")->bytes, 512u);
  EXPECT_EQ(ParseSize("7B")->bytes, 7u);
  EXPECT_EQ(ParseSize("9007199254740993")->bytes, 9007199254740993u);
}

TEST(SizeTest, RefusesTheRest) {
  for (const char* text : {"", "MiB", "-1MB", "1XB", "1MiBs", "1iB", "1 M B", "9e9", "8EiB",
                           "99999999999999PiB", "0x10"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
}

TEST(SizeTest, FormatsWithoutLoss) {
  EXPECT_EQ(FormatSize({0}), "0KiB");
  EXPECT_EQ(FormatSize({1025}), "1025B");
  EXPECT_EQ(FormatSize(Size::MiB(96)), "96MiB");
  EXPECT_EQ(FormatSize(Size::KiB(1536)), "1536KiB");
  EXPECT_EQ(FormatSize(Size::GiB(1024)), "1TiB");
}

TEST(DurationTest, ParsesUnits) {
  EXPECT_EQ(*ParseDuration("10ms"), milliseconds(10));
  EXPECT_EQ(*ParseDuration("1h30m"), minutes(90));
  EXPECT_EQ(*ParseDuration("1.5s"), milliseconds(1500));
  EXPECT_EQ(*ParseDuration("2d"), hours(48));
  EXPECT_EQ(*ParseDuration("0s"), Duration(0));
  EXPECT_EQ(*ParseDuration("24h0m0s"), hours(24));
  EXPECT_EQ(*ParseDuration("3us"), Duration(3000));
  EXPECT_EQ(*ParseDuration("3\xC2\xB5s"), Duration(3000));
}

TEST(DurationTest, RefusesTheRest) {
  for (const char* text :
       {"", "1", "s", "-1s", "1x", "1m1h", "1s1s", "1 s", "1e3s", "999999999999d"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(DurationTest, FormatsInTikvsStyle) {
  EXPECT_EQ(FormatDuration(Duration(0)), "0s");
  EXPECT_EQ(FormatDuration(minutes(90)), "1h30m");
  EXPECT_EQ(FormatDuration(milliseconds(1500)), "1s500ms");
  EXPECT_EQ(FormatDuration(hours(25)), "1d1h");
  EXPECT_EQ(FormatDuration(milliseconds(50)), "50ms");
}

TEST(DurationTest, FormatsInGosStyle) {
  const auto go = [](Duration d) { return FormatDuration(d, DurationStyle::kGo); };
  EXPECT_EQ(go(Duration(0)), "0s");
  EXPECT_EQ(go(seconds(90)), "1m30s");
  EXPECT_EQ(go(hours(24)), "24h0m0s");
  EXPECT_EQ(go(milliseconds(1500)), "1.5s");
  EXPECT_EQ(go(milliseconds(50)), "50ms");
  EXPECT_EQ(go(Duration(1500)), "1.5\xC2\xB5s");
}

TEST(DurationTest, WhatIsShownIsReadBack) {
  for (const Duration d : {Duration(1), Duration(1'234'567'891), Duration(hours(49)),
                           Duration(minutes(61)), Duration(milliseconds(1))}) {
    EXPECT_EQ(*ParseDuration(FormatDuration(d)), d);
    EXPECT_EQ(*ParseDuration(FormatDuration(d, DurationStyle::kGo)), d);
  }
}

}  // namespace
}  // namespace tikv::config
