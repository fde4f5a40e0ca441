#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "lib/base/status.h"
#include "lib/http/client.h"
#include "lib/http/server.h"

namespace tikv::http {
namespace {

TEST(MessageTest, PercentCoding) {
  EXPECT_EQ(PercentDecode("a%20b+c%2", true), "a b c%2");
  EXPECT_EQ(PercentDecode("a+b%2B", false), "a+b+");
  EXPECT_EQ(PercentDecode(PercentEncode(std::string("\0/%\xff", 4)), true),
            std::string("\0/%\xff", 4));
}

// A plain socket that says exactly what a test wants.
class Wire {
 public:
  explicit Wire(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    timeval limit{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~Wire() {
    if (fd_ >= 0) close(fd_);
  }
  void Say(std::string_view text) {
    ASSERT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Until `end` was read, or the peer closed.
  std::string ReadUntil(std::string_view end) {
    std::string got;
    char buffer[4096];
    while (end.empty() || got.find(end) == std::string::npos) {
      ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      got.append(buffer, static_cast<size_t>(n));
    }
    return got;
  }
  std::string ReadAll() { return ReadUntil({}); }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class HttpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    router_.Handle("GET", "/hello",
                   [](Request, Responder r) { r.Send(Response::Text(200, "hello")); });
    router_.Handle("POST", "/echo",
                   [](Request q, Responder r) { r.Send(Response::Json(201, q.body)); });
    router_.Handle("GET", "/store/{id}/label/{key}", [](Request q, Responder r) {
      r.Send(Response::Text(200, q.Param("id") + "|" + q.Param("key") + "|" +
                                     std::string(q.Query("a").value_or("none"))));
    });
    router_.Handle("GET", "/store/all",
                   [](Request, Responder r) { r.Send(Response::Text(200, "literal")); });
    router_.Handle("*", "/files/{path...}", [](Request q, Responder r) {
      r.Send(Response::Text(200, q.method + " " + q.Param("path")));
    });
    router_.Handle("GET", "/drop", [](Request, Responder) {});
    router_.Handle("GET", "/later", [](Request, Responder r) {
      std::thread([r = std::move(r)]() mutable { r.Send(Response::Text(200, "later")); }).detach();
    });
    router_.Handle("GET", "/stream", [](Request q, Responder r) {
      auto body = r.StartStream(200, {{"Content-Type", "text/plain"}});
      std::thread([body] {
        for (int i = 0; i < 100; ++i)
          body->Write(std::string(10'000, static_cast<char>('a' + i % 26)));
        body->Finish();
      }).detach();
    });
    router_.Handle("GET", "/never", [this](Request, Responder r) {
      held_ = std::make_unique<Responder>(std::move(r));
    });
    Start({});
  }

  void Start(ServerOptions options) {
    server_ = std::make_unique<Server>(options, &router_);
    auto port = server_->Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *port;
  }
  std::string Url(std::string_view path) {
    return fmt::format("http://127.0.0.1:{}{}", port_, path);
  }
  Response Get(std::string_view path, std::string method = "GET", std::string body = "") {
    auto result = client_.Fetch({.method = method, .url = Url(path), .body = std::move(body)});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : Response{};
  }

  std::unique_ptr<Responder> held_;
  Router router_;
  std::unique_ptr<Server> server_;
  int port_ = 0;
  Client client_;
};

TEST_F(HttpTest, RoutesAndBodies) {
  EXPECT_EQ(Get("/hello").body, "hello");
  EXPECT_EQ(Get("/hello/").body, "hello");
  Response echoed = Get("/echo", "POST", std::string(3'000'000, 'x'));
  EXPECT_EQ(echoed.status, 201);
  EXPECT_EQ(echoed.body.size(), 3'000'000u);
  EXPECT_EQ(Get("/store/7/label/a%2Fb?x=1&a=b+c%26").body, "7|a/b|b c&");
  EXPECT_EQ(Get("/store/all").body, "literal");
  EXPECT_EQ(Get("/files/a/b/c", "DELETE").body, "DELETE a/b/c");
  EXPECT_EQ(Get("/later").body, "later");
  EXPECT_EQ(Get("/stream").body.size(), 1'000'000u);
}

TEST_F(HttpTest, Refusals) {
  EXPECT_EQ(Get("/nothing").status, 404);
  Response wrong = Get("/echo", "DELETE");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(FindHeader(wrong.headers, "allow"), "POST");
  EXPECT_EQ(Get("/drop").status, 500);
  Response head = Get("/hello", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(FindHeader(head.headers, "Content-Length"), "5");
  EXPECT_EQ(Get("/echo", "POST", std::string(17 << 20, 'x')).status, 413);
  Wire large(port_);
  large.Say("GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(large.ReadAll().starts_with("HTTP/1.1 431 "));
  Wire garbage(port_);
  garbage.Say("\x16\x03\x01 garbage\r\n\r\n");
  EXPECT_TRUE(garbage.ReadAll().starts_with("HTTP/1.1 400 "));
}

TEST_F(HttpTest, KeepsConnectionsAlive) {
  Wire wire(port_);
  for (int i = 0; i < 3; ++i) {
    wire.Say("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(wire.ReadUntil("hello").starts_with("HTTP/1.1 200 OK\r\n"));
  }
  wire.Say(
      "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nConnection: close\r\n\r\n");
  std::string both = wire.ReadAll();
  EXPECT_NE(both.find("hello"), std::string::npos);
  EXPECT_TRUE(both.ends_with("later")) << both;
}

TEST_F(HttpTest, OldClientsGetUnchunkedStreams) {
  Wire wire(port_);
  wire.Say("GET /stream HTTP/1.0\r\n\r\n");
  std::string all = wire.ReadAll();
  EXPECT_EQ(all.find("chunked"), std::string::npos);
  EXPECT_EQ(all.size() - all.find("\r\n\r\n") - 4, 1'000'000u);
}

TEST_F(HttpTest, AdoptsConnections) {
  int listening = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(at);
  ASSERT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(listen(listening, 1), 0);
  getsockname(listening, reinterpret_cast<sockaddr*>(&at), &size);
  Wire wire(ntohs(at.sin_port));
  int accepted = accept(listening, nullptr, nullptr);
  wire.Say("llo HTTP/1.1\r\n\r\n");
  server_->Adopt(accepted, "GET /he", "127.0.0.1:1");
  EXPECT_NE(wire.ReadUntil("hello").find("200 OK"), std::string::npos);
  close(listening);
}

TEST_F(HttpTest, TimesOutSlowHeaders) {
  Start({.header_timeout = std::chrono::seconds(1)});
  Wire wire(port_);
  wire.Say("GET /hel");
  EXPECT_EQ(wire.ReadAll(), "");
}

TEST_F(HttpTest, ClientErrors) {
  EXPECT_TRUE(absl::IsInvalidArgument(client_.Fetch({.url = "nonsense"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(client_.Fetch({.url = "ftp://x/"}).status()));
  EXPECT_TRUE(absl::IsUnavailable(client_.Fetch({.url = "http://127.0.0.1:1/"}).status()));
  auto late = client_.Fetch({.url = Url("/never"), .timeout = std::chrono::milliseconds(50)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(late.status())) << late.status();
  Client small({.max_body_bytes = 10});
  EXPECT_TRUE(absl::IsResourceExhausted(small.Fetch({.url = Url("/stream")}).status()));
}

TEST_F(HttpTest, StopEndsWaitingRequests) {
  std::thread stopper;
  Wire wire(port_);
  wire.Say("GET /never HTTP/1.1\r\n\r\n");
  wire.Say("x");
  EXPECT_EQ(Get("/hello").body, "hello");
  server_->Stop();
  EXPECT_EQ(wire.ReadAll(), "");
  if (held_) held_->Send(Response::Text(200, "too late"));
  EXPECT_TRUE(absl::IsUnavailable(client_.Fetch({.url = Url("/hello")}).status()));
}

TEST_F(HttpTest, TakenAddressIsNamed) {
  Server other({}, &router_);
  absl::Status s = other.Listen(fmt::format("127.0.0.1:{}", port_)).status();
  EXPECT_TRUE(absl::IsAlreadyExists(s)) << s;
}

}  // namespace
}  // namespace tikv::http
