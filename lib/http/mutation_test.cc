// Requests damaged in every way that a seed thinks of, and known bad ones: each gets an error or a
// closed connection, and the next client is served.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "lib/base/status.h"
#include "lib/http/server.h"

namespace tikv::http {
namespace {

constexpr int kThreads = 4;
constexpr int kVariantsPerThread = 300;

const char* const kRequests[] = {
    "GET /hello?a=1&b=%20 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world"
    "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: t\r\n\r\n",
    "PUT /files/a%2Fb/../c HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
    "Connection: close\r\n\r\nabc",
    "HEAD /hello HTTP/1.0\r\n\r\n",
};
const char* const kWords[] = {
    "\r\n",   "\n",    "\0",       "Content-Length: 99999999999999999999",
    "%00",    "%zz",   "/../",     "Transfer-Encoding: chunked\r\n",
    "HTTP/9", "\xff",  "-1",       "Content-Length: 3\r\nContent-Length: 4",
    " ",      "\r\n ", "ffffffff", "\r\n\r\n"};

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return n == 0 ? 0 : random_() % n; }
  void Damage(std::string* text) {
    const size_t at = Below(text->size());
    switch (Below(7)) {
      case 0:
        (*text)[at] = static_cast<char>(Below(256));
        return;
      case 1:
        text->erase(at, 1 + Below(10));
        return;
      case 2:
        text->insert(at, kWords[Below(std::size(kWords))]);
        return;
      case 3:
        text->insert(at, text->substr(Below(text->size()), Below(40)));
        return;
      case 4:
        text->resize(1 + at);
        return;
      case 5:
        text->insert(at, std::string(Below(20'000), static_cast<char>(Below(256))));
        return;
      case 6:
        text->append(kRequests[Below(std::size(kRequests))]);
        return;
    }
  }

 private:
  std::mt19937_64 random_;
};

class HttpMutationTest : public testing::Test {
 protected:
  void SetUp() override {
    router_.Handle("GET", "/hello",
                   [](Request, Responder r) { r.Send(Response::Text(200, "hi")); });
    router_.Handle("POST", "/echo",
                   [](Request q, Responder r) { r.Send(Response::Text(200, q.body)); });
    router_.Handle("*", "/files/{path...}",
                   [](Request q, Responder r) { r.Send(Response::Text(200, q.Param("path"))); });
    absl::StatusOr<int> port = server_.Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *port;
  }

  // All that the server says to it; nothing when it does not close.
  std::optional<std::string> Say(std::string_view bytes) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port_));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    std::string said;
    char buffer[4096];
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) said.append(buffer, buffer + n);
    const bool waiting = n < 0 && errno == EAGAIN;
    close(fd);
    if (waiting) return std::nullopt;
    return said;
  }

  Router router_;
  Server server_{{}, &router_};
  int port_ = 0;
};

TEST_F(HttpMutationTest, DamagedRequestsHurtNobody) {
  std::vector<std::thread> attackers;
  for (uint64_t t = 0; t < kThreads; ++t) {
    attackers.emplace_back([this, t] {
      for (uint64_t i = 0; i < kVariantsPerThread; ++i) {
        const uint64_t seed = t * kVariantsPerThread + i;
        Mutator mutator(seed);
        std::string text = kRequests[seed % std::size(kRequests)];
        for (uint64_t n = 1 + mutator.Below(3); n > 0; --n) mutator.Damage(&text);
        std::optional<std::string> said = Say(text);
        ASSERT_TRUE(said) << "seed " << seed << ": not closed";
        EXPECT_TRUE(said->empty() || said->starts_with("HTTP/1.1 ")) << "seed " << seed;
        EXPECT_FALSE(said->starts_with("HTTP/1.1 500")) << "seed " << seed;
      }
    });
  }
  for (std::thread& t : attackers) t.join();
  EXPECT_TRUE(Say(kRequests[0])->ends_with("hi"));
}

// What proxies and servers understand in two ways must not be served (RFC 9112 section 6.3).
TEST_F(HttpMutationTest, AmbiguousLengthsAreRefused) {
  const char* const bad[] = {
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
      "0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
      "GET /hello HTTP/1.1\r\nHost : x\r\n\r\n",
      "GET  /hello HTTP/1.1\r\n\r\n",
  };
  for (const char* request : bad) {
    EXPECT_TRUE(Say(request)->starts_with("HTTP/1.1 400 ")) << request << "\n" << *Say(request);
  }
}

}  // namespace
}  // namespace tikv::http
