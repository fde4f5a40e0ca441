#include "server/storage/raw/raw_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "proto/errorpb.pb.h"
#include "server/codec/keys.h"
#include "server/storage/raw/fake_replicated_engine.h"
#include "server/storage/raw/ttl_filter.h"

namespace tikv::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FakeClock : public Clock {
 public:
  MonotonicTime Now() override { return {seconds * 1'000'000'000 + (nanos += nanos_per_look)}; }
  MonotonicTime CoarseNow() override { return Now(); }
  WallTime Wall() override { return {seconds * 1'000'000'000}; }
  int64_t seconds = 1'700'000'000;
  int64_t nanos = 0;
  int64_t nanos_per_look = 0;
};

// Runs what is posted when told to.
class FakePool : public TaskRunner {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  bool TryPost(Task&& task) override {
    if (full) return false;
    tasks_.push_back(std::move(task));
    return true;
  }
  int Drain() {
    int ran = 0;
    for (; !tasks_.empty(); ++ran) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      std::move(task)();
    }
    return ran;
  }
  bool full = false;

 private:
  std::deque<Task> tasks_;
};

// One store in one mode.  Keys of V2 tests carry the default keyspace's prefix.
class Store {
 public:
  explicit Store(ApiVersion version = ApiVersion::kV1, std::string start = "", std::string end = "")
      : engine(std::move(start), std::move(end)), raw(version, &engine, &pool, &clock) {}

  template <class Result, class Call>
  Result Wait(Call call) {
    std::optional<Result> out;
    call([&](Result result) { out = std::move(result); });
    pool.Drain();
    CHECK(out.has_value()) << "the callback did not run";
    return *std::move(out);
  }

  RawGetResult Get(std::string_view key, std::string_view cf = "") {
    return Wait<RawGetResult>([&](auto done) { raw.Get({}, cf, key, std::move(done)); });
  }
  RawError Put(std::string_view key, std::string_view value, uint64_t ttl = 0,
               std::string_view cf = "") {
    return Wait<RawError>([&](auto done) {
      raw.Put({}, cf, {{key, value, ttl}}, false, std::move(done));
    });
  }
  RawError Delete(std::vector<std::string_view> keys) {
    return Wait<RawError>([&](auto done) { raw.Delete({}, "", keys, false, std::move(done)); });
  }
  RawPairsResult Scan(RawRange range, RawScanOptions options = {.limit = 100}) {
    return Wait<RawPairsResult>(
        [&](auto done) { raw.Scan({}, "", range, options, std::move(done)); });
  }
  RawSwapResult Swap(RawSwap swap) {
    return Wait<RawSwapResult>(
        [&](auto done) { raw.CompareAndSwap({}, "", swap, std::move(done)); });
  }

  FakeClock clock;
  FakePool pool;
  FakeReplicatedEngine engine;
  RawStorage raw;
};

std::vector<std::string> Text(const RawPairsResult& result) {
  EXPECT_FALSE(result.error) << result.error.text();
  std::vector<std::string> out;
  for (const auto& [key, value] : result.pairs) out.push_back(key + "=" + value);
  return out;
}

class RawStorageTest : public testing::TestWithParam<ApiVersion> {};
INSTANTIATE_TEST_SUITE_P(Modes, RawStorageTest,
                         testing::Values(ApiVersion::kV1, ApiVersion::kV1Ttl, ApiVersion::kV2),
                         [](const auto& info) { return std::string(ApiVersionName(info.param)); });

TEST_P(RawStorageTest, PutGetDelete) {
  Store store(GetParam());
  EXPECT_FALSE(store.Get("ra").found);
  EXPECT_FALSE(store.Put("ra", ""));
  EXPECT_TRUE(store.Get("ra").found) << "an empty value is a value";
  EXPECT_FALSE(store.Put("ra", "1"));
  EXPECT_EQ(store.Get("ra").value, "1");
  EXPECT_FALSE(store.Delete({"ra", "rb"}));
  EXPECT_FALSE(store.Get("ra").found);
}

TEST_P(RawStorageTest, ScansBothWays) {
  Store store(GetParam());
  for (const char* key : {"ra", "rb", "rc", "rd"}) EXPECT_FALSE(store.Put(key, key + 1));
  EXPECT_THAT(Text(store.Scan({"ra", "rd"})), ElementsAre("ra=a", "rb=b", "rc=c"));
  EXPECT_THAT(Text(store.Scan({"rb", ""}, {.limit = 2})), ElementsAre("rb=b", "rc=c"));
  EXPECT_THAT(Text(store.Scan({"rd", "rb"}, {.limit = 9, .reverse = true})),
              ElementsAre("rc=c", "rb=b"));
  EXPECT_THAT(Text(store.Scan({"ra", "rz"}, {.limit = 2, .key_only = true})),
              ElementsAre("ra=", "rb="));
  EXPECT_THAT(Text(store.Scan({"rb", "rb"})), IsEmpty());
  EXPECT_THAT(Text(store.Scan({"rd", "rb"})), IsEmpty());
  EXPECT_THAT(Text(store.Scan({"ra", "rz"}, {.limit = 0})), IsEmpty());
}

TEST_P(RawStorageTest, DeletesRange) {
  Store store(GetParam());
  for (const char* key : {"ra", "rb", "rc", "rd"}) EXPECT_FALSE(store.Put(key, "v"));
  const auto remove = [&](std::string_view start, std::string_view end) {
    return store.Wait<RawError>(
        [&](auto done) { store.raw.DeleteRange({}, "", start, end, std::move(done)); });
  };
  EXPECT_FALSE(remove("rb", "rd"));
  EXPECT_THAT(Text(store.Scan({"ra", "rz"})), ElementsAre("ra=v", "rd=v"));
  RawError refused = remove("rd", "ra");
  ASSERT_TRUE(refused.is_region());
  EXPECT_THAT(std::string(refused.region().message()), HasSubstr("invalid delete range"));
}

TEST_P(RawStorageTest, ComparesAndSwaps) {
  Store store(GetParam());
  RawSwapResult first = store.Swap({.key = "ra", .value = "1", .expect_absent = true});
  EXPECT_TRUE(first.swapped);
  EXPECT_FALSE(first.previous_exists);
  RawSwapResult second = store.Swap({.key = "ra", .value = "2", .expect_absent = true});
  EXPECT_FALSE(second.swapped);
  EXPECT_EQ(second.previous, "1");
  EXPECT_TRUE(store.Swap({.key = "ra", .value = "2", .expected = "1"}).swapped);
  EXPECT_TRUE(store.Swap({.key = "ra", .expected = "2", .remove = true}).swapped);
  EXPECT_FALSE(store.Get("ra").found);
}

TEST(RawStorage, SwapIsRefusedWhenAnotherTermBegan) {
  Store store;
  store.engine.write_term = 7;
  RawSwapResult result = store.Swap({.key = "a", .value = "1", .expect_absent = true});
  EXPECT_FALSE(result.swapped);
  EXPECT_TRUE(result.error.is_region());
  EXPECT_FALSE(store.Get("a").found);
}

TEST(RawStorage, SwapsOfOneKeyTakeTurns) {
  Store store;
  store.engine.hold_writes = true;
  std::vector<bool> swapped;
  for (const char* value : {"1", "2", "3"}) {
    store.raw.CompareAndSwap({}, "", {.key = "a", .value = value, .expect_absent = true},
                             [&](RawSwapResult r) { swapped.push_back(r.swapped); });
  }
  EXPECT_THAT(swapped, IsEmpty()) << "the first waits for its write, the others for the first";
  store.engine.hold_writes = false;
  store.engine.ApplyHeld();
  store.pool.Drain();
  EXPECT_THAT(swapped, ElementsAre(true, false, false));
  EXPECT_EQ(store.Get("a").value, "1");
}

TEST(RawStorage, AtomicPutWaitsForASwap) {
  Store store;
  store.engine.hold_writes = true;
  store.raw.CompareAndSwap({}, "", {.key = "a", .value = "1", .expect_absent = true},
                           [](RawSwapResult) {});
  bool put = false;
  store.raw.Put({}, "", {{"a", "2"}}, true, [&](RawError) { put = true; });
  store.engine.ApplyHeld();
  store.engine.ApplyHeld();
  EXPECT_TRUE(put);
  store.engine.hold_writes = false;
  EXPECT_EQ(store.Get("a").value, "2");
}

TEST(RawStorage, ReadsWithoutLeaseOnThePool) {
  Store store;
  EXPECT_FALSE(store.Put("a", "1"));
  store.engine.lease = false;
  std::optional<RawGetResult> result;
  store.raw.Get({}, "", "a", [&](RawGetResult r) { result = std::move(r); });
  EXPECT_FALSE(result.has_value());
  EXPECT_EQ(store.pool.Drain(), 1);
  EXPECT_EQ(result->value, "1");
}

TEST(RawStorage, LateAndExcessReadsAreBusy) {
  Store store;
  store.engine.lease = false;
  RequestHeader late;
  late.deadline = store.clock.Now();
  RawGetResult result =
      store.Wait<RawGetResult>([&](auto done) { store.raw.Get(late, "", "a", std::move(done)); });
  ASSERT_TRUE(result.error.is_region());
  EXPECT_EQ(result.error.region().proto().server_is_busy().reason(), "deadline is exceeded");
  store.pool.full = true;
  EXPECT_TRUE(store.Get("a").error.is_region());
}

TEST(RawStorage, FamiliesAreApart) {
  Store store;
  EXPECT_FALSE(store.Put("a", "1", 0, "lock"));
  EXPECT_FALSE(store.Get("a").found);
  EXPECT_EQ(store.Get("a", "lock").value, "1");
  EXPECT_THAT(store.Put("a", "1", 0, "raft").text(), HasSubstr("invalid cf name"));
  EXPECT_THAT(store.Get("a", "DEFAULT").error.text(), HasSubstr("invalid cf name"));
}

TEST(RawStorage, RefusesWhatTheModeCannotKeep) {
  Store v1;
  EXPECT_THAT(v1.Put("a", "1", 10).text(), HasSubstr("ttl is not enabled"));
  EXPECT_EQ(v1.engine.writes, 0);
  const std::string longest(8 << 10, 'k');
  EXPECT_FALSE(v1.Put(longest, "1"));
  EXPECT_THAT(v1.Put(longest + "k", "1").text(), HasSubstr("max key size exceeded"));
  Store v2(ApiVersion::kV2);
  EXPECT_TRUE(v2.Put("ra", "1", 0, "lock")) << "V2 has one family";
}

TEST(RawStorage, KeysOutsideTheRegion) {
  Store store(ApiVersion::kV1, "m", "p");
  EXPECT_TRUE(store.Get("a").error.region().proto().has_key_not_in_region());
  EXPECT_TRUE(store.Scan({"a", ""}).error.region().proto().has_key_not_in_region());
  EXPECT_FALSE(store.Put("n", "1"));
  EXPECT_THAT(Text(store.Scan({"m", "z"})), ElementsAre("n=1")) << "the end is clipped";
  EXPECT_THAT(Text(store.Scan({"p", ""}, {.limit = 5, .reverse = true})), ElementsAre("n=1"));
  EXPECT_TRUE(store.Scan({"q", ""}, {.limit = 5, .reverse = true})
                  .error.region()
                  .proto()
                  .has_key_not_in_region());
}

TEST(RawStorage, ExpiredIsAbsent) {
  for (ApiVersion version : {ApiVersion::kV1Ttl, ApiVersion::kV2}) {
    Store store(version);
    EXPECT_FALSE(store.Put("ra", "1", 10));
    EXPECT_FALSE(store.Put("rb", "2"));
    store.clock.seconds += 9;
    EXPECT_EQ(store.Get("ra").ttl_seconds, 1u);
    EXPECT_EQ(store.Get("rb").ttl_seconds, 0u);
    store.clock.seconds += 1;
    EXPECT_FALSE(store.Get("ra").found);
    EXPECT_THAT(Text(store.Scan({"ra", "rz"})), ElementsAre("rb=2"));
    EXPECT_TRUE(store.Swap({.key = "ra", .value = "3", .expect_absent = true}).swapped);
    EXPECT_EQ(store.Get("ra").value, "3");
  }
}

TEST(RawStorage, ChecksumXorsOverParts) {
  Store store;
  for (const char* key : {"a", "b", "c"}) EXPECT_FALSE(store.Put(key, "v"));
  const auto digest = [&](std::vector<RawRange> ranges) {
    return store
        .Wait<RawDigestResult>(
            [&](auto done) { store.raw.Checksum({}, std::move(ranges), std::move(done)); })
        .digest;
  };
  const RawDigest left = digest({{"a", "b"}}), right = digest({{"b", "z"}});
  const RawDigest both = digest({{"a", "b"}, {"b", "z"}});
  EXPECT_EQ(both.crc64_xor, left.crc64_xor ^ right.crc64_xor);
  EXPECT_EQ(both.pairs, 3u);
  EXPECT_EQ(both.bytes, 6u);
}

TEST(RawStorage, BatchScanWantsOrderedRanges) {
  Store store;
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_FALSE(store.Put(key, "v"));
  const auto scan = [&](std::vector<RawRange> ranges, bool reverse) {
    return store.Wait<RawPairsResult>([&](auto done) {
      store.raw.BatchScan({}, "", std::move(ranges), {.limit = 1, .reverse = reverse},
                          std::move(done));
    });
  };
  EXPECT_THAT(Text(scan({{"a", "c"}, {"c", "z"}}, false)), ElementsAre("a=v", "c=v"));
  EXPECT_THAT(Text(scan({{"a", ""}, {"c", ""}}, false)), ElementsAre("a=v", "c=v"));
  EXPECT_THAT(Text(scan({{"z", "c"}, {"c", "a"}}, true)), ElementsAre("d=v", "b=v"));
  EXPECT_THAT(scan({{"d", "a"}}, false).error.text(), HasSubstr("Invalid KeyRanges"));
}

TEST(Crc64, MatchesThePublishedCheckValue) {
  EXPECT_EQ(Crc64(0, "123456789"), 0x995DC9BBDF1939FAu);
  EXPECT_EQ(Crc64(Crc64(0, "1234"), "56789"), 0x995DC9BBDF1939FAu);
}

TEST(RawCodec, LayoutIsByteExact) {
  using std::string_literals::operator""s;
  const RawCodec ttl(ApiVersion::kV1Ttl);
  EXPECT_EQ(ttl.Value("v", 258), "v\0\0\0\0\0\0\1\2"s);
  const RawCodec v2(ApiVersion::kV2);
  EXPECT_EQ(v2.Value("v", 0), "v\0"s);
  EXPECT_EQ(v2.Value("v", 1), "v\0\0\0\0\0\0\0\1\1"s);
  EXPECT_EQ(v2.Key("r\0\0\0abcd"s),
            "r\0\0\0abcd\xFF"s + std::string(8, '\0') + "\xF7" + std::string(8, '\xFF'));
  EXPECT_EQ(v2.UserKey(v2.Key("r\0\0\0abcd"s)), "r\0\0\0abcd"s);
  EXPECT_FALSE(v2.UserKey("short").has_value());
  EXPECT_TRUE(v2.Decode("v\2"s)->deleted);
  EXPECT_FALSE(v2.Decode("").ok());
  EXPECT_FALSE(ttl.Decode("short").ok());
}

TEST(TtlFilter, DropsOnlyWhatReadersIgnore) {
  FakeClock clock;
  const uint64_t now = static_cast<uint64_t>(clock.seconds);
  TtlFilterFactory factory(ApiVersion::kV1Ttl, &clock);
  auto filter = factory.NewFilter();
  const RawCodec codec(ApiVersion::kV1Ttl);
  EXPECT_TRUE(filter->ShouldDrop("za", codec.Value("v", now)));
  EXPECT_FALSE(filter->ShouldDrop("za", codec.Value("v", now + 1)));
  EXPECT_FALSE(filter->ShouldDrop("za", codec.Value("v", 0)));
  EXPECT_FALSE(filter->ShouldDrop("\x01xx", codec.Value("v", now))) << "the store's own record";
  EXPECT_FALSE(filter->ShouldDrop("za", "bad")) << "damage is kept for those who investigate";
  EXPECT_EQ(factory.dropped(), 1u);
  TtlFilterFactory v1(ApiVersion::kV1, &clock);
  EXPECT_EQ(v1.NewFilter(), nullptr);
}

TEST(Latches, LongQueueIsNoDeepStack) {
  Latches latches(200'000);
  std::optional<Latches::Guard> first;
  ASSERT_TRUE(latches.Acquire({"a"}, [&](Latches::Guard g) { first = std::move(g); }));
  int ran = 0;
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(latches.Acquire({"a", "b"}, [&](Latches::Guard) { ++ran; }));
  }
  first.reset();
  EXPECT_EQ(ran, 100'000);
}

TEST(Latches, WaitersAreBounded) {
  Latches latches(1);
  std::optional<Latches::Guard> first;
  ASSERT_TRUE(latches.Acquire({"a"}, [&](Latches::Guard g) { first = std::move(g); }));
  EXPECT_TRUE(latches.Acquire({"a"}, [](Latches::Guard) {}));
  EXPECT_FALSE(latches.Acquire({"a"}, [](Latches::Guard) {}));
}

TEST(RawStorage, AScanOverManyExpiredValuesLeavesTheLoop) {
  Store s(ApiVersion::kV1Ttl);
  std::vector<RawPair> pairs;
  std::deque<std::string> keys;
  for (int i = 0; i < 2000; ++i)
    pairs.push_back({keys.emplace_back(fmt::format("k{:04}", i)), "", 1});
  pairs.push_back({"z", "alive"});
  ASSERT_FALSE(s.Wait<RawError>([&](auto done) { s.raw.Put({}, "", pairs, false, done); }));
  s.clock.seconds += 10;
  RawPairsResult result;
  bool answered = false;
  s.raw.Scan({}, "", {"k", ""}, {.limit = 1}, [&](RawPairsResult r) {
    answered = true;
    result = std::move(r);
  });
  EXPECT_FALSE(answered);
  EXPECT_EQ(s.pool.Drain(), 1);
  EXPECT_THAT(result.pairs, ElementsAre(std::pair<std::string, std::string>("z", "alive")));
}

TEST(RawStorage, SmallPairsCountForWhatTheyTake) {
  Store s;
  RawStorage raw(ApiVersion::kV1, &s.engine, &s.pool, &s.clock, {.max_result_bytes = 1000});
  for (char c = 'a'; c <= 'z'; ++c) s.Put(std::string(1, c), "");
  const auto scan = [&](uint32_t limit) {
    return s.Wait<RawPairsResult>([&](auto done) {
      raw.Scan({}, "", {"a", ""}, {.limit = limit}, std::move(done));
    });
  };
  EXPECT_EQ(scan(5).pairs.size(), 5u);
  EXPECT_THAT(scan(20).error.text(), HasSubstr("exceeds 1000 bytes"));
}

TEST(RawStorage, ASwapReadsWhereItWrites) {
  Store s;
  s.engine.lease = false;
  RequestHeader header;
  header.replica_read = header.stale_read = true;
  RawSwap swap{.key = "k", .value = "v", .expect_absent = true};
  const auto result = s.Wait<RawSwapResult>(
      [&](auto done) { s.raw.CompareAndSwap(header, "", std::move(swap), std::move(done)); });
  EXPECT_TRUE(result.swapped);
  EXPECT_FALSE(s.engine.last_read.replica_read || s.engine.last_read.stale_read);
}

TEST(RawStorage, AReadThatWouldWaitTooLongIsRefusedWithTheWait) {
  Store store;
  store.engine.lease = false;                // Every read goes through the pool.
  store.clock.nanos_per_look = 100'000'000;  // And takes 100 ms there.
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(store.Get("k").error);
  RequestHeader patient, hurried;
  hurried.busy_threshold = std::chrono::milliseconds(50);
  int served = 0, refused = 0;
  uint32_t wait_ms = 0;
  for (int i = 0; i < 10; ++i) {
    store.raw.Get(i < 9 ? patient : hurried, "", "k", [&](RawGetResult result) {
      if (!result.error) return void(++served);
      ++refused;
      wait_ms = result.error.region().proto().server_is_busy().estimated_wait_ms();
    });
  }
  EXPECT_EQ(refused, 1);  // At once, the others wait.
  EXPECT_GT(wait_ms, 200u);
  store.pool.Drain();
  EXPECT_EQ(served, 9);
}

}  // namespace
}  // namespace tikv::server
