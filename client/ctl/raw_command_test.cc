#include "client/ctl/raw_command.h"

#include <gtest/gtest.h>

namespace tikv::client {
namespace {

TEST(RawCommand, PrintableEscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Printable("plain text"), "plain text");
  EXPECT_EQ(Printable("\x1b[2J\n\\"), "\\x1b[2J\\x0a\\x5c");
  EXPECT_EQ(Printable(std::string_view("\0\xff", 2)), "\\x00\\xff");
}

}  // namespace
}  // namespace tikv::client
