#include <gtest/gtest.h>

#include "lib/base/bytes.h"
#include "lib/base/memcomparable.h"
#include "server/codec/keys.h"
#include "server/codec/timestamp.h"

namespace tikv::server {
namespace {

TEST(Memcomparable, KnownEncodings) {
  EXPECT_EQ(Hex(EncodeMemcomparable("")), "0000000000000000F7");
  EXPECT_EQ(Hex(EncodeMemcomparable(std::string("\x01\x02\x03", 3))), "0102030000000000FA");
  EXPECT_EQ(Hex(EncodeMemcomparable("abcdefgh")), "6162636465666768FF0000000000000000F7");
}

TEST(Memcomparable, RoundTripsAndLeavesTheRest) {
  for (size_t n = 0; n < 40; ++n) {
    const std::string plain(n, '\xFF');
    const std::string encoded = EncodeMemcomparable(plain);
    EXPECT_EQ(encoded.size(), MemcomparableSize(n));
    const std::string both = encoded + "tail";
    std::string_view in = both;
    EXPECT_EQ(DecodeMemcomparable(&in), plain);
    EXPECT_EQ(in, "tail");
  }
}

TEST(Memcomparable, KeepsOrder) {
  const std::string keys[] = {"",   std::string(1, '\0'), "a",         std::string("a\0", 2),
                              "ab", "abcdefgh",           "abcdefgh0", "b"};
  for (size_t i = 1; i < std::size(keys); ++i) {
    EXPECT_LT(EncodeMemcomparable(keys[i - 1]), EncodeMemcomparable(keys[i]));
  }
}

TEST(Memcomparable, RefusesDamage) {
  for (std::string bad : {std::string(), std::string("12345678"), std::string("12345678\x01"),
                          std::string("1234567x\xFE"), std::string("12345678\xFF")}) {
    std::string_view in = bad;
    EXPECT_FALSE(DecodeMemcomparable(&in).has_value()) << Hex(bad);
    EXPECT_EQ(in, bad);
  }
}

TEST(Timestamp, NewestFirst) {
  std::string newer = "k", older = "k";
  AppendTimestamp(&newer, 20);
  AppendTimestamp(&older, 10);
  EXPECT_LT(newer, older);
  EXPECT_EQ(DecodeTimestamp(newer), 20u);
}

TEST(Keys, DataAndLocal) {
  EXPECT_EQ(DataKey("a"), "za");
  EXPECT_EQ(DataEndKey(""), "{");
  EXPECT_EQ(DataEndKey("b"), "zb");
  EXPECT_EQ(Hex(RegionStateKey(RegionId(5))), "0103000000000000000501");
  EXPECT_EQ(ParseRegionStateKey(RegionStateKey(RegionId(5))), RegionId(5));
  EXPECT_FALSE(ParseRegionStateKey(ApplyStateKey(RegionId(5))).has_value());
  EXPECT_TRUE(InRange("b", "a", ""));
  EXPECT_FALSE(InRange("b", "a", "b"));
}

}  // namespace
}  // namespace tikv::server
