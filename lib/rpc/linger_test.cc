// How connections end that we end.
#include <gtest/gtest.h>
#include <unistd.h>

#include "lib/rpc/testing.h"
#include "lib/rpc/testing_http2.h"

namespace tikv::rpc {
namespace {

class LingerTest : public testing::Test {
 protected:
  void SetUp() override { Serve({.loops = 1}); }
  void Serve(ServerOptions options) {
    server_ = std::make_unique<Server>(options);
    absl::StatusOr<int> port = server_->Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *port;
  }
  int Open() {
    const int fd = ConnectTo(port_);
    for (const std::string& frame : Opening()) Say(fd, frame);
    return fd;
  }
  static bool Say(int fd, std::string_view bytes) {
    return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  // Until the server has closed its side; nothing when the connection was reset.
  static std::optional<std::string> Hear(int fd) {
    std::string heard;
    char buffer[4096];
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) heard.append(buffer, buffer + n);
    if (n < 0) return std::nullopt;
    return heard;
  }
  void WaitForConnections(uint64_t n) {
    while (server_->stats().connections != n) usleep(1000);
  }

  std::unique_ptr<Server> server_;
  int port_ = 0;
};

const std::string kPingFrame = Frame(kPing, 0, 0, "12345678");

TEST_F(LingerTest, WhatComesLateResetsNothing) {
  const int fd = Open();
  Say(fd, kPingFrame + Frame(kGoAway, 0, 0, Number(0, 8)) + kPingFrame);
  std::optional<std::string> heard = Hear(fd);
  ASSERT_TRUE(heard);
  // Both pings were answered, the one behind the GOAWAY too.
  const std::string answer = Frame(kPing, kAck, 0, "12345678");
  const size_t first = heard->find(answer);
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(heard->find(answer, first + 1), std::string::npos);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(Say(fd, kPingFrame));
    EXPECT_EQ(Hear(fd), "");
  }
  EXPECT_EQ(server_->stats().connections, 1u);
  close(fd);
  WaitForConnections(0);
}

TEST_F(LingerTest, ItsReasonIsReadBehindAFlood) {
  const int fd = Open();
  std::string flood;
  while (flood.size() < 300'000) flood += kPingFrame;
  Say(fd, flood);
  std::optional<std::string> heard = Hear(fd);
  ASSERT_TRUE(heard);
  // GOAWAY with ENHANCE_YOUR_CALM at the very end.
  EXPECT_EQ(heard->substr(heard->size() - 4), Number(11, 4));
  close(fd);
  WaitForConnections(0);
}

TEST_F(LingerTest, EndsByItself) {
  const int silent = Open();
  Say(silent, Frame(kGoAway, 0, 0, Number(0, 8)));
  EXPECT_TRUE(Hear(silent));
  const int talking = Open();
  Say(talking, Frame(kGoAway, 0, 0, Number(0, 8)));
  EXPECT_TRUE(Hear(talking));
  // The one goes when its bytes are too many, the other when its time is over.
  const std::string junk(64 << 10, 'x');
  int sent = 0;
  while (Say(talking, junk)) ++sent;
  EXPECT_GT(sent, 8);
  WaitForConnections(0);
  close(silent);
  close(talking);
}

TEST_F(LingerTest, MakesRoomFirst) {
  Serve({.loops = 1, .limits = {.max_connections = 20}});
  std::vector<int> fds;
  for (int i = 0; i < 20; ++i) {
    fds.push_back(Open());
    Say(fds.back(), Frame(kGoAway, 0, 0, Number(0, 8)));
    EXPECT_TRUE(Hear(fds.back()));
  }
  // All of them linger; who comes now gets in nevertheless.
  for (int i = 0; i < 5; ++i) {
    fds.push_back(Open());
    Say(fds.back(), Frame(kGoAway, 0, 0, Number(0, 8)));
    std::optional<std::string> heard = Hear(fds.back());
    EXPECT_TRUE(heard && !heard->empty());
  }
  EXPECT_EQ(server_->stats().refused_connections, 0u);
  for (int fd : fds) close(fd);
}

}  // namespace
}  // namespace tikv::rpc
