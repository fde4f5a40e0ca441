#include "client/driver/raw_codec.h"

#include <gtest/gtest.h>

#include "lib/base/bytes.h"

namespace tikv::client {
namespace {

TEST(RawCodec, V1IsBare) {
  const RawCodec codec(ApiVersion::kV1);
  EXPECT_EQ(codec.Key("k"), "k");
  EXPECT_EQ(codec.RangeEnd(""), "");
  EXPECT_EQ(codec.ToPd("k"), "k");
  EXPECT_EQ(*codec.FromPd("k"), "k");
}

TEST(RawCodec, V2AddsThePrefixAndEncodesForPd) {
  const RawCodec codec(ApiVersion::kV2);
  EXPECT_EQ(Hex(codec.Key("k")), "720000006B");
  EXPECT_EQ(Hex(codec.RangeEnd("")), "72000001");
  EXPECT_EQ(codec.User(codec.Key("k")), "k");
  EXPECT_EQ(Hex(codec.ToPd(codec.Key("k"))), "720000006B000000FC");
  EXPECT_EQ(Hex(codec.ToPd(codec.Key("abcd"))), "7200000061626364FF0000000000000000F7");
}

TEST(RawCodec, V2BoundariesRoundTripAndMalformedOnesAreRefused) {
  const RawCodec codec(ApiVersion::kV2);
  for (const std::string key : {"", "a", "abcd", "abcdefgh", "abcdefghijkl"}) {
    EXPECT_EQ(*codec.FromPd(codec.ToPd(codec.Key(key))), codec.Key(key));
  }
  EXPECT_EQ(*codec.FromPd(""), "");
  EXPECT_FALSE(codec.FromPd("short").ok());
  EXPECT_FALSE(codec.FromPd("12345678\x01").ok());
}

}  // namespace
}  // namespace tikv::client
