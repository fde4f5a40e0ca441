#include <gtest/gtest.h>

#include <cerrno>

#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/base/strong_id.h"

namespace tikv {
namespace {

TEST(Bytes, HexRoundTrip) {
  EXPECT_EQ(Hex(std::string_view("z\0\xff", 3)), "7A00FF");
  EXPECT_EQ(Unhex("7a00ff"), std::string("z\0\xff", 3));
  EXPECT_EQ(Unhex("7"), std::nullopt);
  EXPECT_EQ(Unhex("zz"), std::nullopt);
}

TEST(Bytes, VarintRoundTripAndRefusals) {
  for (const uint64_t v : {0ull, 1ull, 127ull, 128ull, 300ull, ~0ull}) {
    std::string out;
    PutVarint(&out, v);
    std::string_view in = out;
    EXPECT_EQ(GetVarint(&in), v);
    EXPECT_TRUE(in.empty());
  }
  std::string_view cut("\x80", 1);
  EXPECT_EQ(GetVarint(&cut), std::nullopt);
  std::string_view over("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
  EXPECT_EQ(GetVarint(&over), std::nullopt);
}

TEST(Bytes, FixedIntegers) {
  std::string out;
  PutBig64(&out, 0x0102030405060708);
  EXPECT_EQ(Hex(out), "0102030405060708");
  EXPECT_EQ(GetBig64(out), 0x0102030405060708u);
}

TEST(Bytes, Sizes) {
  EXPECT_EQ(HumanBytes(1536), "1.5KiB");
  EXPECT_EQ(HumanBytes(96 << 20), "96MiB");
  EXPECT_EQ(ParseBytes("96MB"), 96u << 20);
  EXPECT_EQ(ParseBytes("1.5GiB"), 3ull << 29);
  EXPECT_EQ(ParseBytes("7"), 7u);
  EXPECT_EQ(ParseBytes("MiB"), std::nullopt);
  EXPECT_EQ(ParseBytes("1XB"), std::nullopt);
  EXPECT_EQ(ParseBytes("99999999PiB"), std::nullopt);
}

TEST(Bytes, PrefixEnd) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
}

absl::Status Half(int n, int* out) {
  const auto parse = [](int n) -> absl::StatusOr<int> {
    if (n % 2 != 0) return InvalidArgument("{} is odd", n);
    return n / 2;
  };
  ASSIGN_OR_RETURN(*out, parse(n));
  return absl::OkStatus();
}

TEST(Status, MacrosPassOnErrors) {
  int out = 0;
  EXPECT_TRUE(Half(4, &out).ok());
  EXPECT_EQ(out, 2);
  EXPECT_EQ(Message(Annotate(Half(3, &out), "half")), "half: 3 is odd");
}

TEST(Status, ErrnoCodes) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "write", "/x").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Message(ErrnoStatus(ENOENT, "open", "/x")), "open /x: No such file or directory");
}

TEST(CheckDeathTest, BrokenInvariantStopsTheProcess) {
  EXPECT_DEATH(CHECK_EQ(1, 2) << "because", "1 vs 2.*because");
  CHECK_LE(StoreId(1), StoreId(2));
}

}  // namespace
}  // namespace tikv
