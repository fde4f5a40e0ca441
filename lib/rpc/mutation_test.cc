// Recorded connections, damaged in every way that a seed thinks of: the server survives, keeps
// nothing of them, and goes on serving a neighbour.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "lib/rpc/gzip.h"
#include "lib/rpc/testing.h"
#include "lib/rpc/testing_http2.h"

namespace tikv::rpc {
namespace {

constexpr int kThreads = 4;
constexpr int kVariantsPerThread = 500;

// What honest clients say.
std::vector<Frames> Recordings() {
  std::vector<Frames> all;
  Frames unary = Opening();
  for (uint32_t id = 1; id < 12; id += 2) {
    unary.push_back(Frame(kHeaders, kEndHeaders, id, Block("/test/Echo", Field("k", "v"))));
    unary.push_back(Frame(kData, kEndStream, id, Message(std::string(100 * id, 'x'))));
  }
  all.push_back(unary);

  Frames streams = Opening();
  streams.push_back(Frame(kHeaders, kEndHeaders, 1, Block("/test/Stream")));
  streams.push_back(
      Frame(kHeaders, kEndHeaders, 3, Block("/test/Stream", Field("grpc-timeout", "5S"))));
  for (int i = 0; i < 5; ++i) {
    streams.push_back(Frame(kData, 0, 1, Message(std::string(300, 'a')) + Message("")));
    streams.push_back(Frame(kWindowUpdate, 0, 1, Number(1000, 4)));
    streams.push_back(Frame(kData, 0, 3, Message("in two frames").substr(0, 9)));
    streams.push_back(Frame(kPing, 0, 0, "12345678"));
    streams.push_back(Frame(kData, 0, 3, Message("in two frames").substr(9)));
  }
  streams.push_back(Frame(kReset, 0, 3, Number(8, 4)));
  streams.push_back(Frame(kHeaders, kEndHeaders | kEndStream, 1, Field("trailer", "t")));
  streams.push_back(Frame(kGoAway, 0, 0, Number(0, 8)));
  all.push_back(streams);

  Frames odd = Opening();
  odd.push_back(Frame(kPriority, 0, 1, Number(3, 4) + "\x10"));
  const std::string block =
      Block("/test/Echo", Field("grpc-encoding", "gzip") + Field("grpc-accept-encoding", "gzip") +
                              Field("x-bin", "YWJj"));
  odd.push_back(Frame(kHeaders, 0, 1, block.substr(0, 20)));
  odd.push_back(Frame(kContinuation, 0, 1, block.substr(20, 50)));
  odd.push_back(Frame(kContinuation, kEndHeaders, 1, block.substr(70)));
  odd.push_back(Frame(kData, kEndStream, 1, Message(Gzip(std::string(400'000, 'z')), true)));
  odd.push_back(Frame(kSettings, 0, 0, Number(4, 2) + Number(100, 4)));
  odd.push_back(Frame(kHeaders, kEndHeaders, 3, Block("/test/Nothing")));
  odd.push_back(Frame(kData, kEndStream, 3, Message("x")));
  all.push_back(odd);
  return all;
}

// One damage to a recording.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  void Damage(Frames* frames) {
    const size_t i = Below(frames->size());
    std::string& frame = (*frames)[i];
    switch (Below(14)) {
      case 0:  // The length says something else.
        if (frame.size() > 2) frame.replace(0, 3, Number(Pick({0, 1, 9, 16384, 16777215}), 3));
        return;
      case 1:
        if (frame.size() > 3) frame[3] = static_cast<char>(Below(14));
        return;
      case 2:
        if (frame.size() > 4) frame[4] = static_cast<char>(Below(256));
        return;
      case 3:
        if (frame.size() > 8) {
          frame.replace(5, 4, Number(Pick({0, 1, 2, 3, 5, 99, 0x7fffffff, 0xffffffff}), 4));
        }
        return;
      case 4:
        if (!frame.empty()) frame[Below(frame.size())] = static_cast<char>(Below(256));
        return;
      case 5:
        if (!frame.empty()) frame.resize(Below(frame.size()));
        return;
      case 6:
        frame.append(Noise(1 + Below(60)));
        return;
      case 7:
        frames->erase(frames->begin() + static_cast<long>(i));
        return;
      case 8:
        frames->insert(frames->begin() + static_cast<long>(Below(frames->size())), frame);
        return;
      case 9:
        std::swap(frame, (*frames)[Below(frames->size())]);
        return;
      case 10:  // A frame that nobody expects, well-formed outside.
        frames->insert(frames->begin() + static_cast<long>(i),
                       Frame(static_cast<FrameType>(Below(12)), static_cast<uint8_t>(Below(256)),
                             static_cast<uint32_t>(Below(12)), Noise(Below(40))));
        return;
      case 11:
        frames->resize(i + 1);
        return;
      case 12:
        frame = Noise(Below(200));
        return;
      case 13:
        frames->insert(frames->end(), Below(200), std::string(frame));
        return;
    }
  }
  uint64_t Below(uint64_t n) { return n == 0 ? 0 : random_() % n; }

 private:
  uint64_t Pick(std::initializer_list<uint64_t> values) {
    return *(values.begin() + Below(values.size()));
  }
  std::string Noise(size_t n) {
    std::string out(n, '\0');
    for (char& c : out) c = static_cast<char>(Below(256));
    return out;
  }

  std::mt19937_64 random_;
};

// Says it all and waits until the server closes; false: it did not.
bool Play(int port, std::string_view bytes, Mutator& cuts) {
  const int fd = ConnectTo(port);
  bool closed = fd >= 0;
  while (closed && !bytes.empty()) {
    const size_t n = 1 + cuts.Below(bytes.size());
    if (send(fd, bytes.data(), n, MSG_NOSIGNAL) < 0) break;  // Refused already.
    bytes.remove_prefix(n);
  }
  shutdown(fd, SHUT_WR);
  char buffer[4096];
  ssize_t n = 1;
  while (closed && (n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
  }
  closed = closed && !(n < 0 && errno == EAGAIN);
  close(fd);
  return closed;
}

class MutationTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.RegisterUnary("/test/Echo", [](UnaryCall& call, RawResponder responder) {
      responder.Reply(call.TakeRequest());
    });
    server_.RegisterStream("/test/Stream", [](ServerStream stream, const CallContext&) {
      auto handler = std::make_unique<FunctionHandler>();
      handler->on_message = [stream](std::string_view m) { stream.Send(std::string(m)); };
      handler->on_half_close = [stream] { stream.Finish(absl::OkStatus()); };
      return handler;
    });
    absl::StatusOr<int> port = server_.Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *port;
  }

  void PlayVariants(uint64_t thread) {
    const std::vector<Frames> recordings = Recordings();
    for (uint64_t i = 0; i < kVariantsPerThread; ++i) {
      const uint64_t seed = thread * kVariantsPerThread + i;
      Mutator mutator(seed);
      Frames frames = recordings[seed % recordings.size()];
      for (uint64_t n = 1 + mutator.Below(4); n > 0 && !frames.empty(); --n) {
        mutator.Damage(&frames);
      }
      std::string bytes;
      for (const std::string& frame : frames) bytes += frame;
      if (!Play(port_, bytes, mutator)) ADD_FAILURE() << "seed " << seed << ": not closed";
    }
  }

  Server server_{{.loops = 2}};
  int port_ = 0;
};

TEST_F(MutationTest, RecordingsAreHonest) {
  Mutator cuts(1);
  for (const Frames& frames : Recordings()) {
    std::string bytes;
    for (const std::string& frame : frames) bytes += frame;
    EXPECT_TRUE(Play(port_, bytes, cuts));
  }
  EXPECT_EQ(server_.stats().protocol_errors, 0u);
  EXPECT_GE(server_.stats().requests, 10u);
}

TEST_F(MutationTest, DamagedConnectionsHurtNobody) {
  ChannelPool pool;
  std::shared_ptr<Channel> neighbour = pool.Get(fmt::format("127.0.0.1:{}", port_));
  std::atomic<bool> done{false};
  int served = 0;
  std::thread honest([&] {
    while (!done) {
      auto echoed =
          neighbour->UnaryAndWait("/test/Echo", "hello", {.timeout = std::chrono::seconds(20)});
      EXPECT_TRUE(echoed.ok()) << echoed.status();
      ++served;
    }
  });
  std::vector<std::thread> attackers;
  for (uint64_t t = 0; t < kThreads; ++t) attackers.emplace_back([this, t] { PlayVariants(t); });
  for (std::thread& t : attackers) t.join();
  done = true;
  honest.join();
  EXPECT_GT(served, 10);

  const ServerStats& stats = server_.stats();
  // The peer's view of a close is a moment ahead of the server's.
  for (int i = 0; i < 2000 && stats.connections > 1; ++i) usleep(1000);
  EXPECT_LE(stats.connections, 1u);
  EXPECT_EQ(stats.streams, 0u);
  EXPECT_EQ(stats.calls, 0u);
  EXPECT_EQ(stats.unfinished_bytes, 0u);
  EXPECT_EQ(stats.output_bytes, 0u);
  EXPECT_GT(stats.protocol_errors, 100u);
}

}  // namespace
}  // namespace tikv::rpc
