#include "server/service/symbols.h"

#include <gtest/gtest.h>

namespace tikv::server {
namespace {

std::string Name(const void* address) {
  return address == reinterpret_cast<const void*>(0x10) ? "Sixteen" : "";
}

TEST(SymbolsTest, NamesOneAddressPerLine) {
  EXPECT_EQ(NameAddresses("0x10+0xff", Name), "0x10\tSixteen\n0xff\t??\n");
  EXPECT_EQ(NameAddresses("0x10+", Name), "0x10\tSixteen\n");
}

TEST(SymbolsTest, EndsAtWhatIsNoAddress) {
  for (std::string_view bad : {"", "10", "0x", "0xzz", "0x11111111111111111"}) {
    EXPECT_EQ(NameAddresses(bad, Name), "") << bad;
  }
  EXPECT_EQ(NameAddresses("0x10;0x10", Name), "0x10\tSixteen\n");
  std::string many = "0x10";
  for (int i = 0; i < 10'000; ++i) many += "+0x10";
  EXPECT_LT(NameAddresses(many, Name).size(), 4100 * sizeof("0x10\tSixteen"));
}

}  // namespace
}  // namespace tikv::server
