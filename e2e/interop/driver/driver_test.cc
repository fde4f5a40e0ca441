// driver-test v1|v1ttl|v2 PD[,PD...]: everything that client/raw_client.h promises, against real
// stores of that mode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sstream>
#include <thread>

#include "client/raw_client.h"

namespace tikv::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

ApiVersion api = ApiVersion::kV1;
std::vector<std::string> endpoints;

std::unique_ptr<RawClient> Connect(ApiVersion version = api) {
  auto client = RawClient::Connect({.pd_endpoints = endpoints, .api_version = version});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

// Keys of this run of one test; those that end in "/0..." to "/9..." lie on both sides of the
// border at driver/5.
std::string Key(std::string_view name) {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  return "driver/" + std::string(name) + "/" + info->name();
}

class Driver : public testing::Test {
 protected:
  std::unique_ptr<RawClient> client = Connect();
};

TEST_F(Driver, PutsGetsAndDeletes) {
  const std::string key = Key("1");
  EXPECT_EQ(*client->Get(key), std::nullopt);
  ASSERT_TRUE(client->Put(key, "one").ok());
  EXPECT_EQ(*client->Get(key), "one");
  ASSERT_TRUE(client->Put(key, "").ok());
  EXPECT_EQ(*client->Get(key), "") << "an empty value is a value";
  ASSERT_TRUE(client->Delete(key).ok());
  EXPECT_EQ(*client->Get(key), std::nullopt);
  EXPECT_TRUE(client->Delete(key).ok());
  EXPECT_NE(client->cluster_id(), 0u);
}

TEST_F(Driver, KeysAndValuesAreAnyBytes) {
  const std::string key = Key("1") + std::string("\0\xff\r\n", 4), value("\0\x80\xff", 3);
  ASSERT_TRUE(client->Put(key, value).ok());
  EXPECT_EQ(*client->Get(key), value);
  EXPECT_EQ(*client->Get(key.substr(0, key.size() - 1)), std::nullopt);
}

TEST_F(Driver, BatchesCrossRegionsAndRequestSizes) {
  std::vector<KeyValue> pairs;
  std::vector<std::string> keys;
  for (int i = 0; i < 5000; ++i) {
    keys.push_back(Key(std::to_string(i)));
    pairs.emplace_back(keys.back(), std::string(300, 'v') + std::to_string(i));
  }
  ASSERT_TRUE(client->BatchPut(pairs).ok());
  keys.push_back(Key("absent"));
  std::sort(pairs.begin(), pairs.end());
  EXPECT_EQ(*client->BatchGet(keys), pairs) << "in key order, without the absent one";
  ASSERT_TRUE(client->BatchDelete(keys).ok());
  EXPECT_TRUE(client->BatchGet(keys)->empty());
  EXPECT_TRUE(client->BatchGet({})->empty());
  EXPECT_TRUE(client->BatchPut({}).ok());
}

TEST_F(Driver, OfTwoValuesForOneKeyTheLaterWins) {
  ASSERT_TRUE(client->BatchPut({{Key("1"), "first"}, {Key("1"), "second"}}).ok());
  EXPECT_EQ(*client->Get(Key("1")), "second");
}

// 100 pairs on both sides of the border.
class DriverRanges : public Driver {
 protected:
  void SetUp() override {
    for (int i = 0; i < 100; ++i) {
      std::string key = "driver/" + std::string(i < 50 ? "4" : "5") + "/range/";
      key += static_cast<char>('0' + i / 10 % 5);
      key += static_cast<char>('0' + i % 10);
      pairs.emplace_back(key, "value " + std::to_string(i));
    }
    std::sort(pairs.begin(), pairs.end());
    ASSERT_TRUE(client->DeleteRange("driver/4/range/", "driver/5/range0").ok());
    ASSERT_TRUE(client->BatchPut(pairs).ok());
  }
  const std::string start = "driver/4/range/", end = "driver/5/range0";
  std::vector<KeyValue> pairs;
};

TEST_F(DriverRanges, ScansBothWays) {
  EXPECT_EQ(*client->Scan(start, end, 1000), pairs);
  std::vector<KeyValue> down(pairs.rbegin(), pairs.rend());
  EXPECT_EQ(*client->ReverseScan(start, end, 1000), down);
  EXPECT_EQ(*client->Scan(start, end, 60),
            std::vector<KeyValue>(pairs.begin(), pairs.begin() + 60));
  EXPECT_EQ(*client->ReverseScan(start, end, 60),
            std::vector<KeyValue>(down.begin(), down.begin() + 60));
  EXPECT_TRUE(client->Scan(start, end, 0)->empty());
  EXPECT_TRUE(client->Scan(end, start, 10)->empty());
  EXPECT_TRUE(client->Scan(start, start, 10)->empty());
  EXPECT_EQ(client->Scan(start, "", 5)->size(), 5u) << "to the end of the key space";
  const auto keys = *client->Scan(start, end, 1000, {.key_only = true});
  ASSERT_EQ(keys.size(), 100u);
  EXPECT_EQ(keys[7], KeyValue(pairs[7].first, ""));
}

TEST_F(DriverRanges, ChecksumsOfPartsMakeThatOfTheWhole) {
  const std::string middle = "driver/5";
  const auto whole = client->Checksum(start, end);
  const auto left = client->Checksum(start, middle), right = client->Checksum(middle, end);
  ASSERT_TRUE(whole.ok() && left.ok() && right.ok()) << whole.status();
  EXPECT_EQ(whole->total_kvs, 100u);
  EXPECT_EQ(left->total_kvs, 50u);
  EXPECT_EQ(whole->crc64_xor, left->crc64_xor ^ right->crc64_xor);
  EXPECT_EQ(whole->total_bytes, left->total_bytes + right->total_bytes);
}

TEST_F(DriverRanges, DeletesARangeAndNothingElse) {
  ASSERT_TRUE(client->DeleteRange(pairs[10].first, pairs[90].first).ok());
  const auto left = *client->Scan(start, end, 1000);
  ASSERT_EQ(left.size(), 20u);
  EXPECT_EQ(left[9], pairs[9]);
  EXPECT_EQ(left[10], pairs[90]);
}

TEST_F(Driver, ComparesAndSwaps) {
  const std::string key = Key("1");
  auto r = client->CompareAndSwap(key, "x", "y");
  ASSERT_TRUE(r.ok()) << r.status();
  EXPECT_FALSE(r->swapped);
  EXPECT_EQ(r->previous, std::nullopt);
  r = client->CompareAndSwap(key, std::nullopt, "1");
  EXPECT_TRUE(r->swapped);
  r = client->CompareAndSwap(key, std::nullopt, "2");
  EXPECT_FALSE(r->swapped);
  EXPECT_EQ(r->previous, "1");
  r = client->CompareAndSwap(key, "1", "2");
  EXPECT_TRUE(r->swapped);
  EXPECT_EQ(r->previous, "1");
  EXPECT_EQ(*client->Get(key), "2");
}

TEST_F(Driver, OneOfManySwapsWins) {
  const std::string key = Key("1");
  ASSERT_TRUE(client->Put(key, "0", {.atomic = true}).ok());
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  for (int i = 1; i <= 8; ++i) {
    threads.emplace_back([&, i] {
      const auto r = client->CompareAndSwap(key, "0", std::to_string(i));
      if (r.ok() && r->swapped) ++winners;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(winners, 1);
}

TEST_F(Driver, ColumnFamiliesAreApart) {
  if (api == ApiVersion::kV2) GTEST_SKIP() << "has one family";
  const std::string key = Key("1");
  for (const char* cf : {"default", "lock", "write"}) {
    ASSERT_TRUE(client->Put(key, cf, {.column_family = cf}).ok());
  }
  for (const char* cf : {"default", "lock", "write"}) {
    EXPECT_EQ(*client->Get(key, {.column_family = cf}), cf);
    EXPECT_EQ(client->Scan(key, key + "0", 10, {.column_family = cf})->size(), 1u);
  }
  EXPECT_EQ(*client->Get(key), "default");
  ASSERT_TRUE(client->DeleteRange(key, key + "0", {.column_family = "lock"}).ok());
  EXPECT_EQ(*client->Get(key, {.column_family = "lock"}), std::nullopt);
  EXPECT_EQ(*client->Get(key), "default");
}

TEST_F(Driver, TimeToLive) {
  const std::string key = Key("1");
  if (api == ApiVersion::kV1) {
    EXPECT_TRUE(absl::IsInvalidArgument(client->Put(key, "v", {.ttl = seconds(10)})));
    EXPECT_TRUE(absl::IsInvalidArgument(client->GetKeyTtl(key).status()));
    return;
  }
  EXPECT_EQ(*client->GetKeyTtl(key), std::nullopt);
  ASSERT_TRUE(client->Put(key, "v").ok());
  EXPECT_EQ(*client->GetKeyTtl(key), seconds(0));
  ASSERT_TRUE(client->BatchPut({{key, "v"}}, {.ttl = seconds(100)}).ok());
  const auto ttl = *client->GetKeyTtl(key);
  ASSERT_TRUE(ttl.has_value());
  EXPECT_GT(*ttl, seconds(90));
  EXPECT_LE(*ttl, seconds(100));
  ASSERT_TRUE(client->Put(key, "v", {.ttl = seconds(1)}).ok());
  const auto limit = std::chrono::steady_clock::now() + seconds(5);
  while (client->Get(key)->has_value() && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_EQ(*client->Get(key), std::nullopt);
}

TEST_F(Driver, RefusalsAreInvalidArgument) {
  const absl::Status long_key = client->Put(Key(std::string(9000, 'k')), "v");
  EXPECT_TRUE(absl::IsInvalidArgument(long_key)) << long_key;
  EXPECT_THAT(std::string(long_key.message()), HasSubstr("max key size exceeded"));
  EXPECT_TRUE(absl::IsInvalidArgument(client->Put(Key("1"), std::string(9 << 20, 'v'))))
      << "larger than a Raft entry may be";
  EXPECT_TRUE(absl::IsInvalidArgument(client->Get(Key("1"), {.column_family = "bogus"}).status()));
  const auto other = Connect(api == ApiVersion::kV2 ? ApiVersion::kV1 : ApiVersion::kV2);
  const absl::Status mode = other->Put(Key("1"), "v");
  EXPECT_TRUE(absl::IsInvalidArgument(mode)) << mode;
}

TEST_F(Driver, TimeIsBounded) {
  const absl::Status soon = client->Put(Key("1"), "v", {.timeout = milliseconds(1)});
  EXPECT_TRUE(soon.ok() || absl::IsDeadlineExceeded(soon)) << soon;
  const auto begin = std::chrono::steady_clock::now();
  const auto nobody =
      RawClient::Connect({.pd_endpoints = {"127.0.0.1:1"}, .connect_timeout = milliseconds(500)});
  EXPECT_TRUE(absl::IsUnavailable(nobody.status())) << nobody.status();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(3));
  EXPECT_TRUE(absl::IsInvalidArgument(RawClient::Connect({}).status()));
}

TEST_F(Driver, OneLivingEndpointIsEnough) {
  std::vector<std::string> mixed = {"127.0.0.1:1"};
  mixed.insert(mixed.end(), endpoints.begin(), endpoints.end());
  const auto other = RawClient::Connect({.pd_endpoints = mixed, .api_version = api});
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_TRUE((*other)->Put(Key("1"), "v").ok());
}

TEST_F(Driver, SeveralConnectionsServe) {
  const auto other = RawClient::Connect(
      {.pd_endpoints = endpoints, .api_version = api, .connections_per_store = 4});
  ASSERT_TRUE(other.ok()) << other.status();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE((*other)->Put(Key(std::to_string(i)), std::to_string(i)).ok());
    EXPECT_EQ(*client->Get(Key(std::to_string(i))), std::to_string(i));
  }
}

TEST_F(Driver, EveryCallbackRunsEvenWhenTheClientGoes) {
  constexpr int kCalls = 2000;
  std::atomic<int> done = 0, failed = 0;
  ASSERT_TRUE(client->Put(Key("0"), "v").ok());  // So that some reach the store, others PD.
  for (int i = 0; i < kCalls; ++i) {
    client->PutAsync(Key(std::to_string(i)), "v", {}, [&](const absl::Status& s) {
      if (!s.ok()) ++failed;
      EXPECT_TRUE(s.ok() || absl::IsCancelled(s)) << s;
      ++done;
    });
  }
  client.reset();
  EXPECT_EQ(done, kCalls) << failed << " failed";
}

}  // namespace
}  // namespace tikv::client

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 3) return 2;
  const std::string mode = argv[1];
  using tikv::client::ApiVersion;
  tikv::client::api = mode == "v2"      ? ApiVersion::kV2
                      : mode == "v1ttl" ? ApiVersion::kV1Ttl
                                        : ApiVersion::kV1;
  std::istringstream list(argv[2]);
  for (std::string endpoint; std::getline(list, endpoint, ',');) {
    tikv::client::endpoints.push_back(endpoint);
  }
  return RUN_ALL_TESTS();
}
