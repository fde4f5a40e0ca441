#include "lib/log/format.h"

#include <gtest/gtest.h>

#include "lib/base/status.h"
#include "lib/base/strong_id.h"

namespace tikv::log {
namespace {

std::string Text(std::string_view text) {
  std::string out;
  AppendText(text, &out);
  return out;
}

std::string Shown(const Value& value) {
  std::string out;
  value.AppendTo(&out);
  return out;
}

std::string Head(int64_t millis, int offset_minutes) {
  return FormatHead({millis * 1'000'000}, offset_minutes, Level::kInfo, {"a/b/peer.cc", 12}, "hi");
}

TEST(FormatTest, HeadIsTheUnifiedFormat) {
  EXPECT_EQ(Head(1795519126123, 0), "[2026/11/24 11:18:46.123 +00:00] [INFO] [peer.cc:12] [hi]");
  EXPECT_EQ(Head(1795519126123, 330), "[2026/11/24 16:48:46.123 +05:30] [INFO] [peer.cc:12] [hi]");
  EXPECT_EQ(Head(1795519126123, -480), "[2026/11/24 03:18:46.123 -08:00] [INFO] [peer.cc:12] [hi]");
}

TEST(FormatTest, DatesHoldOverLeapDaysAndBeforeTheEpoch) {
  EXPECT_TRUE(Head(951782400000, 0).starts_with("[2000/02/29 00:00:00.000"));
  EXPECT_TRUE(Head(951868799999, 0).starts_with("[2000/02/29 23:59:59.999"));
  EXPECT_TRUE(Head(951868800000, 0).starts_with("[2000/03/01 00:00:00.000"));
  EXPECT_TRUE(Head(4107542400000, 0).starts_with("[2100/03/01 00:00:00.000"));
  EXPECT_TRUE(Head(0, 0).starts_with("[1970/01/01 00:00:00.000"));
  EXPECT_TRUE(Head(-1, 0).starts_with("[1969/12/31 23:59:59.999"));
}

TEST(FormatTest, TextIsQuotedOnlyWhenNeeded) {
  EXPECT_EQ(Text("plain-text_1.2"), "plain-text_1.2");
  EXPECT_EQ(Text(""), "\"\"");
  EXPECT_EQ(Text("two words"), "\"two words\"");
  EXPECT_EQ(Text("a=b"), "\"a=b\"");
  EXPECT_EQ(Text("[x]"), "\"[x]\"");
  EXPECT_EQ(Text("say \"hi\"\\"), "\"say \\\"hi\\\"\\\\\"");
}

TEST(FormatTest, ControlCharactersAreEscaped) {
  EXPECT_EQ(Text("a\nb\tc\r"), "\"a\\nb\\tc\\r\"");
  EXPECT_EQ(Text(std::string_view("\0\x1b\x7f", 3)), "\"\\u0000\\u001b\\u007f\"");
}

TEST(FormatTest, InvalidUtf8BecomesReplacementCharacters) {
  EXPECT_EQ(Text("gr\xC3\xBC\xC3\x9F"), "\"gr\xC3\xBC\xC3\x9F\"");
  EXPECT_EQ(Text("\xF0\x9F\x98\x80"), "\"\xF0\x9F\x98\x80\"");
  EXPECT_EQ(Text("\xFF"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(Text("a\xC3"), "\"a\xEF\xBF\xBD\"");                                // cut off
  EXPECT_EQ(Text("\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                  // overlong
  EXPECT_EQ(Text("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // surrogate
}

TEST(FormatTest, ValuesOfManyTypes) {
  EXPECT_EQ(Shown(true), "true");
  EXPECT_EQ(Shown(-3), "-3");
  EXPECT_EQ(Shown(UINT64_MAX), "18446744073709551615");
  EXPECT_EQ(Shown(1.5), "1.5");
  EXPECT_EQ(Shown("x"), "x");
  EXPECT_EQ(Shown(std::string("a b")), "\"a b\"");
  EXPECT_EQ(Shown(RegionId(7)), "7");
  EXPECT_EQ(Shown(NotFound("no key")), "\"NOT_FOUND: no key\"");
  EXPECT_EQ(Shown(std::chrono::milliseconds(1500)), "1.5s");
  EXPECT_EQ(Shown(std::chrono::microseconds(250)), "250us");
  EXPECT_EQ(Shown(Duration(0)), "0ns");
}

TEST(FormatTest, FieldsKeepTheirPlace) {
  std::string line = "head";
  AppendField({"region_id", 2}, &line);
  AppendField({"odd key", "v"}, &line);
  EXPECT_EQ(line, "head [region_id=2] [\"odd key\"=v]");
}

TEST(FormatTest, LevelsByName) {
  for (const Level level :
       {Level::kDebug, Level::kInfo, Level::kWarn, Level::kError, Level::kFatal}) {
    EXPECT_EQ(ParseLevel(LevelName(level)), level);
  }
  EXPECT_EQ(ParseLevel("WARNING"), Level::kWarn);
  EXPECT_EQ(ParseLevel("Critical"), Level::kFatal);
  EXPECT_EQ(ParseLevel("loud"), std::nullopt);
}

}  // namespace
}  // namespace tikv::log
