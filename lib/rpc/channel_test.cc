// Our channel against our server: gRPC C core as the client stack.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "lib/base/status.h"
#include "lib/rpc/testing.h"

namespace tikv::rpc {
namespace {

using std::chrono::milliseconds;

class ChannelTest : public ::testing::Test {
 protected:
  void Serve(ServerOptions options = {}) {
    server_ = std::make_unique<Server>(options);
    server_->RegisterUnary("/t.T/Echo", [](UnaryCall& call, RawResponder responder) {
      responder.Reply(call.TakeRequest());
    });
    server_->RegisterUnary("/t.T/Fail", [](UnaryCall& call, RawResponder responder) {
      responder.Fail(NotFound("no {}: 100%\n", call.request()));
    });
    server_->RegisterUnary("/t.T/Drop", [](UnaryCall&, RawResponder) {});
    server_->RegisterUnary("/t.T/Hold", [this](UnaryCall& call, RawResponder responder) {
      call.context().OnCancel(Task([this] { cancelled_.Set(true); }));
      std::lock_guard lock(mutex_);
      held_.push_back(std::move(responder));
      holding_.Set(true);
    });
    server_->RegisterUnary("/t.T/Later", [](UnaryCall& call, RawResponder responder) {
      std::thread([request = call.TakeRequest(), responder = std::move(responder)]() mutable {
        responder.Reply(request);
      }).detach();
    });
    server_->RegisterUnary("/t.T/Meta", [](UnaryCall& call, RawResponder responder) {
      std::string text(call.context().Find("x-text").value_or("none"));
      std::string bytes(call.context().Find("x-bytes-bin").value_or("none"));
      responder.Reply(text + "|" + bytes + "|" + std::string(call.context().peer().substr(0, 10)));
    });
    server_->RegisterStream("/t.T/EchoStream", [](ServerStream stream, const CallContext&) {
      auto handler = std::make_unique<FunctionHandler>();
      handler->on_message = [stream](std::string_view m) { stream.Send(std::string(m)); };
      handler->on_half_close = [stream] { stream.Finish(absl::OkStatus()); };
      return handler;
    });
    RegisterMore();
    auto port = server_->Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    address_ = fmt::format("127.0.0.1:{}", *port);
    channel_ = pool_.Get(address_);
  }
  virtual void RegisterMore() {}

  absl::StatusOr<std::string> Call(std::string_view path, std::string request,
                                   milliseconds timeout = milliseconds(20'000)) {
    return channel_->UnaryAndWait(path, std::move(request), {.timeout = timeout});
  }

  Awaited<bool> cancelled_, holding_;
  std::mutex mutex_;
  std::vector<RawResponder> held_;
  std::unique_ptr<Server> server_;
  ChannelPool pool_;
  std::string address_;
  std::shared_ptr<Channel> channel_;
};

TEST_F(ChannelTest, UnaryOfManySizes) {
  Serve();
  for (size_t size : {0, 1, 100, 16'000, 16'384, 70'000, 1'000'000, 5'000'000}) {
    std::string text(size, 'v');
    auto reply = Call("/t.T/Echo", text);
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_TRUE(*reply == text) << size;
  }
  EXPECT_EQ(server_->stats().unfinished_bytes, 0u);
  EXPECT_EQ(server_->stats().output_bytes, 0u);
}

TEST_F(ChannelTest, ErrorsKeepCodeAndText) {
  Serve();
  EXPECT_EQ(Call("/t.T/Fail", "key").status(), NotFound("no key: 100%\n"));
  EXPECT_TRUE(absl::IsUnimplemented(Call("/t.T/Nothing", "").status()));
  EXPECT_TRUE(absl::IsUnimplemented(Call("/no.Such/Service", "").status()));
  EXPECT_TRUE(absl::IsInternal(Call("/t.T/Drop", "").status()));
  EXPECT_EQ(server_->stats().dropped_responders, 1u);
}

TEST_F(ChannelTest, AnswersFromAnotherThread) {
  Serve();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(*Call("/t.T/Later", "x"), "x");
}

TEST_F(ChannelTest, MetadataTextAndBytes) {
  Serve();
  std::string bytes("\0\xff\1", 3);
  auto reply = channel_->UnaryAndWait("/t.T/Meta", "",
                                      {.metadata = {{"x-text", "hello"}, {"x-bytes-bin", bytes}}});
  EXPECT_EQ(*reply, "hello|" + bytes + "|127.0.0.1:");
}

TEST_F(ChannelTest, DeadlineReachesBothSides) {
  Serve();
  EXPECT_TRUE(absl::IsDeadlineExceeded(Call("/t.T/Hold", "", milliseconds(50)).status()));
  EXPECT_TRUE(cancelled_.Get());
  std::lock_guard lock(mutex_);
  EXPECT_TRUE(held_[0].context().cancelled());
  held_[0].Reply("too late");  // Harmless.
}

TEST_F(ChannelTest, CancelReachesTheHandler) {
  Serve();
  Awaited<absl::Status> done;
  auto call = channel_->Unary("/t.T/Hold", "", {},
                              [&](absl::StatusOr<std::string> r) { done.Set(r.status()); });
  holding_.Get();
  call->Cancel();
  EXPECT_TRUE(absl::IsCancelled(done.Get()));
  EXPECT_TRUE(cancelled_.Get());
}

TEST_F(ChannelTest, ManyAtOnceFromManyThreads) {
  Serve();
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        std::string text = fmt::format("{}-{}", t, i);
        auto reply = Call(i % 2 == 0 ? "/t.T/Echo" : "/t.T/Later", text);
        if (reply.ok() && *reply == text) ++good;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(good, 1600);
}

TEST_F(ChannelTest, BidirectionalStream) {
  Serve();
  StreamLog log;
  auto stream = channel_->OpenStream("/t.T/EchoStream", {}, log.NewHandler());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(stream->Send(fmt::format("message {}", i)));
  auto messages = log.WaitForMessages(1000);
  ASSERT_EQ(messages.size(), 1000u);
  EXPECT_EQ(messages[0], "message 0");
  EXPECT_EQ(messages[999], "message 999");
  ASSERT_TRUE(stream->Send(std::string(6'000'000, 'l')));  // Larger than every window.
  EXPECT_EQ(log.WaitForMessages(1001)[1000].size(), 6'000'000u);
  stream->HalfClose();
  EXPECT_EQ(log.WaitClosed(), absl::OkStatus());
}

// A handler that pauses at once and resumes when told.
class PauseTest : public ChannelTest {
 protected:
  void RegisterMore() override {
    server_->RegisterStream("/t.T/Paused", [this](ServerStream stream, const CallContext&) {
      stream.Pause();
      auto handler = std::make_unique<FunctionHandler>();
      handler->on_message = [this](std::string_view m) {
        received_ += m.size();
        ++messages_;
      };
      handler->on_half_close = [stream] { stream.Finish(absl::OkStatus()); };
      stream_.Set(stream);
      return handler;
    });
    server_->RegisterStream("/t.T/Big", [this](ServerStream stream, const CallContext&) {
      auto handler = std::make_unique<FunctionHandler>();
      handler->on_message = [stream](std::string_view) {
        for (int i = 0; i < 64; ++i) stream.Send(std::string(1 << 20, 'b'));
      };
      handler->on_drained = [stream] { stream.Finish(absl::OkStatus()); };
      handler->on_closed = [this](const absl::Status& s) { closed_.Set(s); };
      stream_.Set(stream);
      return handler;
    });
  }
  std::atomic<size_t> received_{0}, messages_{0};
  Awaited<ServerStream> stream_;
  Awaited<absl::Status> closed_;
};

TEST_F(PauseTest, PausedStreamHoldsItsClientBack) {
  Serve();
  StreamLog log;
  auto stream = channel_->OpenStream("/t.T/Paused", {}, log.NewHandler());
  size_t sent = 0;
  for (int i = 0; i < 300; ++i) sent += stream->Send(std::string(100'000, 'p')) ? 1 : 0;
  EXPECT_EQ(sent, 300u);
  ServerStream paused = stream_.Get();
  // The connection goes on serving others, and what is held stays within the window.
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Call("/t.T/Echo", "x").ok());
  EXPECT_EQ(messages_, 0u);
  EXPECT_LE(server_->stats().unfinished_bytes, size_t{2} << 20);
  EXPECT_GT(stream->pending_bytes(), size_t{20} << 20);
  paused.Resume();
  stream->HalfClose();
  EXPECT_EQ(log.WaitClosed(), absl::OkStatus());
  EXPECT_EQ(messages_, 300u);
  EXPECT_EQ(received_, 30'000'000u);
  EXPECT_EQ(server_->stats().unfinished_bytes, 0u);
}

TEST_F(PauseTest, OnDrainedComesAfterAllOutput) {
  Serve();
  StreamLog log;
  auto stream = channel_->OpenStream("/t.T/Big", {}, log.NewHandler());
  stream->Send("go");
  EXPECT_EQ(log.WaitForMessages(64).size(), 64u);
  EXPECT_EQ(log.WaitClosed(), absl::OkStatus());
  EXPECT_EQ(closed_.Get(), absl::OkStatus());
  EXPECT_EQ(stream_.Get().pending_bytes(), 0u);
  EXPECT_FALSE(stream_.Get().Send("late"));
}

TEST_F(PauseTest, OutputBoundCutsTheStream) {
  ServerOptions options;
  options.limits.max_output_bytes_per_stream = 8 << 20;
  Serve(options);
  StreamLog log;
  auto stream = channel_->OpenStream("/t.T/Big", {}, log.NewHandler());
  stream->Send("go");
  EXPECT_FALSE(log.WaitClosed().ok());
  EXPECT_TRUE(absl::IsResourceExhausted(closed_.Get())) << closed_.Get();
  EXPECT_EQ(server_->stats().output_limit, 1u);
}

TEST_F(ChannelTest, NonHttp2ConnectionsAreHandedOver) {
  Server server({});
  Awaited<std::string> bytes;
  server.SetHttpHandler([&](HandedOver given) {
    bytes.Set(given.bytes);
    close(given.fd);
  });
  int port = *server.Listen("127.0.0.1:0");
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  ASSERT_EQ(send(fd, "PUT /x", 6, 0), 6);
  EXPECT_EQ(bytes.Get(), "PUT /x");
  char byte;
  EXPECT_EQ(recv(fd, &byte, 1, 0), 0);
  close(fd);
}

TEST_F(ChannelTest, StopEndsStreamsAndCalls) {
  Serve();
  StreamLog log;
  auto stream = channel_->OpenStream("/t.T/EchoStream", {}, log.NewHandler());
  stream->Send("x");
  log.WaitForMessages(1);
  Awaited<absl::Status> done;
  channel_->Unary("/t.T/Hold", "", {},
                  [&](absl::StatusOr<std::string> r) { done.Set(r.status()); });
  holding_.Get();
  server_->Stop();
  EXPECT_FALSE(log.WaitClosed().ok());
  EXPECT_FALSE(done.Get().ok());
  EXPECT_TRUE(cancelled_.Get());
}

TEST_F(ChannelTest, DrainLetsCallsFinish) {
  Serve();
  Awaited<absl::StatusOr<std::string>> done;
  channel_->Unary("/t.T/Hold", "", {},
                  [&](absl::StatusOr<std::string> r) { done.Set(std::move(r)); });
  holding_.Get();
  std::thread drain([&] { server_->Drain(milliseconds(20'000)); });
  std::vector<RawResponder> held;
  {
    std::lock_guard lock(mutex_);
    held.swap(held_);
  }
  held[0].Reply("finished");
  EXPECT_EQ(*done.Get(), "finished");
  drain.join();
  EXPECT_EQ(server_->stats().connections, 0u);
}

TEST_F(ChannelTest, ReconnectsToARestartedServer) {
  Serve();
  EXPECT_TRUE(Call("/t.T/Echo", "a").ok());
  std::string address = address_;
  server_->Stop();
  EXPECT_TRUE(absl::IsUnavailable(Call("/t.T/Echo", "b").status()));
  Server again({});
  again.RegisterUnary("/t.T/Echo",
                      [](UnaryCall& call, RawResponder r) { r.Reply(call.TakeRequest()); });
  ASSERT_TRUE(again.Listen(address).ok());
  auto reply = channel_->UnaryAndWait("/t.T/Echo", "c",
                                      {.timeout = milliseconds(10'000), .wait_for_ready = true});
  EXPECT_TRUE(reply.ok()) << reply.status();
}

TEST_F(ChannelTest, ClosingThePoolEndsWhatIsUnderWay) {
  Serve();
  Awaited<absl::Status> done;
  StreamLog log;
  std::shared_ptr<ClientStream> stream;
  {
    ChannelPool pool;
    auto channel = pool.Get(address_);
    stream = channel->OpenStream("/t.T/EchoStream", {}, log.NewHandler());
    channel->Unary("/t.T/Hold", "", {},
                   [&](absl::StatusOr<std::string> r) { done.Set(r.status()); });
    holding_.Get();
  }
  EXPECT_TRUE(absl::IsCancelled(done.Get()));
  EXPECT_FALSE(log.WaitClosed().ok());
  EXPECT_FALSE(stream->Send("x"));
}

TEST_F(ChannelTest, TakenAddressIsNamed) {
  Serve();
  Server other({});
  absl::Status s = other.Listen(address_).status();
  EXPECT_TRUE(absl::IsAlreadyExists(s));
  EXPECT_NE(Message(s).find(address_), std::string_view::npos);
  EXPECT_TRUE(absl::IsInvalidArgument(other.Listen("nonsense").status()));
}

}  // namespace
}  // namespace tikv::rpc
