#include "lib/rpc/wire.h"

#include <gtest/gtest.h>

#include "lib/rpc/closed_streams.h"
#include "lib/rpc/fifo.h"
#include "lib/rpc/frame_tracker.h"
#include "lib/rpc/gzip.h"
#include "lib/rpc/message_reader.h"
#include "lib/rpc/timer_heap.h"
#include "lib/rpc/token_bucket.h"
#include "lib/rpc/transport.h"

namespace tikv::rpc {
namespace {

TEST(WireTest, ParsesTimeouts) {
  EXPECT_EQ(ParseTimeout("250m"), 250'000'000);
  EXPECT_EQ(ParseTimeout("1H"), 3'600'000'000'000);
  EXPECT_EQ(ParseTimeout("7n"), 7);
  EXPECT_EQ(ParseTimeout("0S"), 0);
  EXPECT_GT(*ParseTimeout("99999999H"), int64_t{1} << 60);
  for (auto bad : {"", "1", "S", "123456789S", "-1S", "1x", "1 S"}) {
    EXPECT_EQ(ParseTimeout(bad), std::nullopt) << bad;
  }
}

TEST(WireTest, PercentEncodesWhatHeadersCannotHold) {
  EXPECT_EQ(EncodeMessage("plain text"), "plain text");
  EXPECT_EQ(EncodeMessage("100%\n\xE2\x82\xAC"), "100%25%0A%E2%82%AC");
}

TEST(WireTest, Base64WithAndWithoutPadding) {
  for (std::string_view s : {"", "a", "ab", "abc", "abcd"}) {
    EXPECT_EQ(Base64Decode(Base64Encode(s)), s);
  }
  EXPECT_EQ(Base64Decode("YQ=="), "a");
  EXPECT_EQ(Base64Decode("a"), std::nullopt);
  EXPECT_EQ(Base64Decode("a!bc"), std::nullopt);
}

TEST(GzipTest, RoundTripAndLimits) {
  std::string text(3000, 'x');
  EXPECT_EQ(*Gunzip(Gzip(text), {1 << 20, 100}), text);
  EXPECT_EQ(*Gunzip(Gzip(""), {1 << 20, 100}), "");
  EXPECT_EQ(*Gunzip(Gzip(text), {3000, 100}), text);
  EXPECT_TRUE(absl::IsResourceExhausted(Gunzip(Gzip(text), {2999, 100}).status()));
  std::string bomb = Gzip(std::string(64 << 20, '\0'));
  EXPECT_TRUE(absl::IsResourceExhausted(Gunzip(bomb, {1 << 30, 100}).status()));
}

TEST(GzipTest, BadDataIsRefused) {
  const std::string good = Gzip(std::string(3000, 'x') + "and more");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Gunzip(good.substr(0, size), {1 << 20, 100}).ok()) << size;
  }
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    (void)Gunzip(bad, {1 << 20, 100}).ok();  // Some bytes of the header do not matter.
  }
  EXPECT_TRUE(absl::IsInternal(Gunzip("garbage", {1 << 20, 100}).status()));
  EXPECT_FALSE(Gunzip(good + "x", {1 << 20, 100}).ok());
}

TEST(GzipTest, ASizeThatIsALieIsRefused) {
  std::string bomb = Gzip(std::string(64 << 20, '\0'));
  for (uint32_t claimed : {0u, 1u, 1u << 20, (64u << 20) - 1, (64u << 20) + 1}) {
    memcpy(bomb.data() + bomb.size() - 4, &claimed, 4);
    const absl::Status s = Gunzip(bomb, {1 << 30, 100'000}).status();
    EXPECT_EQ(absl::IsResourceExhausted(s), claimed < 64u << 20) << claimed << " " << s;
    EXPECT_FALSE(s.ok());
  }
}

TEST(GzipTest, InflatesInSteps) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += fmt::format("{} ", i);
  Inflater inflater(Gzip(text), {text.size(), 100});
  int steps = 0;
  for (bool done = false; !done; ++steps) {
    const size_t before = inflater.held_bytes();
    auto result = inflater.Step(10'000);
    ASSERT_TRUE(result.ok()) << result.status();
    done = *result;
    EXPECT_LE(inflater.held_bytes() - before, 10'000u);
  }
  EXPECT_GE(steps, static_cast<int>(text.size() / 10'000));
  EXPECT_TRUE(inflater.TakeOutput() == text);
}

std::string Framed(std::string_view message) {
  std::string out("\0\0\0\0", 4);
  out.push_back(static_cast<char>(message.size()));
  return out.append(message);
}

TEST(MessageReaderTest, AnyCutGivesTheSameMessages) {
  const std::string input =
      Framed("hello") + Framed("") + Framed("world!") + Framed(std::string(90, 'y'));
  for (size_t step = 1; step <= input.size(); ++step) {
    MessageReader reader;
    std::vector<std::string> got;
    for (size_t at = 0; at < input.size(); at += step) {
      auto taken = reader.Feed(std::string_view(input).substr(at, step), 100,
                               [&](std::string_view m, std::string*, bool compressed) {
                                 EXPECT_FALSE(compressed);
                                 got.emplace_back(m);
                                 return true;
                               });
      ASSERT_TRUE(taken.ok());
    }
    EXPECT_EQ(got, (std::vector<std::string>{"hello", "", "world!", std::string(90, 'y')}));
    EXPECT_TRUE(reader.AtBoundary());
  }
}

TEST(MessageReaderTest, StopsWhenToldAndRefusesTooLarge) {
  MessageReader reader;
  std::string input = Framed("a") + Framed("b");
  auto stop = [](std::string_view, std::string*, bool) { return false; };
  EXPECT_EQ(*reader.Feed(input, 10, stop), 6u);
  EXPECT_TRUE(absl::IsResourceExhausted(
      reader.Feed(std::string_view("\0\xff\xff\xff\xff", 5), 10, stop).status()));
  MessageReader other;
  EXPECT_TRUE(absl::IsInternal(other.Feed(std::string_view("\7\0\0\0\0", 5), 10, stop).status()));
}

TEST(ClosedStreamsTest, TellsWhoClosedAndWhatWasSkipped) {
  using Fate = ClosedStreams::Fate;
  ClosedStreams closed;
  for (int32_t id = 1; id <= 21; id += 4) closed.OnOpened(id);
  closed.OnClosed(5, true);
  closed.OnClosed(9, false);
  EXPECT_EQ(closed.Find(5), Fate::kClosedByPeer);
  EXPECT_EQ(closed.Find(9), Fate::kClosedByUs);
  EXPECT_EQ(closed.Find(7), Fate::kNeverOpened);
  EXPECT_EQ(closed.Find(23), Fate::kOpenOrForgotten);
  closed.OnPeerReset(9);
  EXPECT_EQ(closed.Find(9), Fate::kClosedByPeer);
  for (int32_t id = 25; id < 325; id += 2) {
    closed.OnOpened(id);
    closed.OnClosed(id, true);
  }
  EXPECT_EQ(closed.Find(5), Fate::kOpenOrForgotten);
  EXPECT_EQ(closed.Find(323), Fate::kClosedByPeer);
}

struct CountingTimer : Timer {
  explicit CountingTimer(std::vector<int>* fired, int id) : fired(fired), id(id) {}
  void OnTimer() override { fired->push_back(id); }
  std::vector<int>* fired;
  int id;
};

TEST(FifoTest, KeepsOrder) {
  Fifo<int> fifo;
  int next = 0, expected = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 5; ++i) fifo.Push(next++);
    for (int i = 0; i < (round < 150 ? 4 : 8) && !fifo.empty(); ++i) {
      EXPECT_EQ(fifo.front(), expected);
      EXPECT_EQ(fifo.Pop(), expected++);
    }
  }
  EXPECT_TRUE(fifo.empty());
}

TEST(TimerHeapTest, FiresInOrderAndForgetsCancelled) {
  TimerHeap heap;
  std::vector<int> fired;
  std::vector<std::unique_ptr<CountingTimer>> timers;
  for (int i = 0; i < 100; ++i) {
    timers.push_back(std::make_unique<CountingTimer>(&fired, i));
    heap.Set(timers.back().get(), (i * 37) % 100);
  }
  for (int i = 0; i < 100; i += 2) heap.Cancel(timers[i].get());
  heap.Set(timers[1].get(), 1000);  // Was 37.
  heap.Fire(99);
  ASSERT_EQ(fired.size(), 49u);
  for (size_t i = 1; i < fired.size(); ++i) {
    EXPECT_LT(fired[i - 1] * 37 % 100, fired[i] * 37 % 100);
  }
  EXPECT_EQ(heap.next_due_ns(), 1000);
  heap.Fire(1000);
  EXPECT_EQ(heap.next_due_ns(), INT64_MAX);
}

TEST(TokenBucketTest, BurstThenRate) {
  TokenBucket bucket(3, 1000);
  bucket.Start(0, 1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.Take(0));
  EXPECT_FALSE(bucket.Take(500'000));
  EXPECT_TRUE(bucket.Take(1'600'000));
  EXPECT_FALSE(bucket.Take(1'700'000));
}

TEST(FrameTrackerTest, KnowsWhenHeadersAreUnderWay) {
  FrameTracker tracker;
  EXPECT_FALSE(tracker.MidHeaders());
  tracker.Advance(std::string_view("\0\0\2\1\0\0\0\0\1", 9));  // HEADERS without END_HEADERS.
  EXPECT_TRUE(tracker.MidHeaders());
  tracker.Advance("xx");
  EXPECT_TRUE(tracker.MidHeaders());
  tracker.Advance(std::string_view("\0\0\0\x9\4\0\0\0\1", 9));  // CONTINUATION with it.
  EXPECT_FALSE(tracker.MidHeaders());
  tracker.Advance(std::string_view("\0\0\5\0\0\0\0\0\1ab", 11));  // Half a DATA frame.
  EXPECT_FALSE(tracker.MidHeaders());
  tracker.Advance(std::string_view("cde\0", 4));
  EXPECT_TRUE(tracker.MidHeaders());
}

TEST(ClientHelloTest, FindsAlpnAndNeverOverreads) {
  std::string alpn("\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1", 18);
  std::string extensions = std::string("\0", 1) + static_cast<char>(alpn.size()) + alpn;
  std::string body = std::string("\x03\x03", 2) + std::string(32, 'r') + std::string("\0", 1) +
                     std::string("\0\2\x13\x01", 4) + std::string("\1\0", 2) + extensions;
  std::string hello = std::string("\1\0\0", 3) + static_cast<char>(body.size()) + body;
  std::string record = std::string("\x16\x03\x01\0", 4) + static_cast<char>(hello.size()) + hello;
  EXPECT_EQ(ClientHelloOffers(record, "http/1.1"), AlpnOffer::kYes);
  EXPECT_EQ(ClientHelloOffers(record, "spdy"), AlpnOffer::kNo);
  for (size_t n = 0; n < record.size(); ++n) {
    EXPECT_EQ(ClientHelloOffers(record.substr(0, n), "http/1.1"), AlpnOffer::kIncomplete);
  }
  EXPECT_EQ(ClientHelloOffers("GET / HTTP/1.1", "http/1.1"), AlpnOffer::kNo);
}

}  // namespace
}  // namespace tikv::rpc
