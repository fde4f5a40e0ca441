#include "server/service/request_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "lib/base/status.h"

namespace tikv::server {
namespace {

using testing::HasSubstr;
using testing::Not;

class FakeClock : public Clock {
 public:
  MonotonicTime Now() override { return {1'000}; }
  MonotonicTime CoarseNow() override { return {1'000}; }
  WallTime Wall() override { return {1'000}; }
};

kvrpcpb::Context Versioned(kvrpcpb::APIVersion version) {
  kvrpcpb::Context context;
  context.set_api_version(version);
  return context;
}

TEST(RequestGate, RefusesOtherClustersWithoutTheFatalText) {
  FakeClock clock;
  const RequestGate gate(ClusterId(7), ApiVersion::kV1, &clock);
  kvrpcpb::Context context;
  EXPECT_TRUE(gate.CheckCluster(context).ok()) << "0 is not checked";
  context.set_cluster_id(7);
  EXPECT_TRUE(gate.CheckCluster(context).ok());
  context.set_cluster_id(8);
  const absl::Status refused = gate.CheckCluster(context);
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(std::string(Message(refused)), Not(HasSubstr("mismatch cluster id")))
      << "client-go ends its process on this text";
}

TEST(RequestGate, RawVersions) {
  FakeClock clock;
  const RequestGate v1(ClusterId(1), ApiVersion::kV1, &clock);
  const RequestGate ttl(ClusterId(1), ApiVersion::kV1Ttl, &clock);
  const RequestGate v2(ClusterId(1), ApiVersion::kV2, &clock);
  EXPECT_FALSE(v1.CheckRaw("RawGet", Versioned(kvrpcpb::V1)));
  EXPECT_FALSE(ttl.CheckRaw("RawGet", Versioned(kvrpcpb::V1))) << "addressed as V1";
  EXPECT_FALSE(v2.CheckRaw("RawGet", Versioned(kvrpcpb::V2)));
  const RawError error = v1.CheckRaw("RawGet", Versioned(kvrpcpb::V2));
  EXPECT_THAT(error.text(), HasSubstr("Api version in request does not match with TiKV storage"));
  EXPECT_THAT(error.AbortText(), HasSubstr("ApiVersionNotMatched"));
  EXPECT_TRUE(v2.CheckRaw("RawGet", Versioned(kvrpcpb::V1)));
}

TEST(RequestGate, KeysOfV2NeedTheirPrefix) {
  FakeClock clock;
  const RequestGate v2(ClusterId(1), ApiVersion::kV2, &clock);
  const std::string key("r\0\0\1a", 5);
  EXPECT_FALSE(v2.CheckRawKey("RawGet", key));
  EXPECT_TRUE(v2.CheckRawKey("RawGet", "r"));
  EXPECT_TRUE(v2.CheckRawKey("RawGet", "xabcd")) << "a transactional key";
  EXPECT_FALSE(v2.CheckRawRange("RawScan", key, "s")) << "the end of all raw keys";
  EXPECT_TRUE(v2.CheckRawRange("RawScan", key, "")) << "would show other APIs' keys";
  const RequestGate v1(ClusterId(1), ApiVersion::kV1, &clock);
  EXPECT_FALSE(v1.CheckRawKey("RawGet", ""));
  EXPECT_FALSE(v1.CheckRawRange("RawScan", "", ""));
}

TEST(RequestGate, HeaderTakesTheContext) {
  FakeClock clock;
  const RequestGate gate(ClusterId(1), ApiVersion::kV1, &clock);
  kvrpcpb::Context context;
  context.set_region_id(3);
  context.mutable_peer()->set_id(4);
  context.mutable_peer()->set_store_id(5);
  context.mutable_region_epoch()->set_version(6);
  RequestHeader header = gate.Header(context);
  EXPECT_EQ(header.region, RegionId(3));
  EXPECT_EQ(header.peer, PeerId(4));
  EXPECT_EQ(header.store, StoreId(5));
  EXPECT_EQ(header.version, 6u);
  EXPECT_EQ(header.deadline, MonotonicTime::Max());
  EXPECT_TRUE(header.fill_cache);
  context.set_not_fill_cache(true);
  context.set_busy_threshold_ms(20);
  context.set_disk_full_opt(kvrpcpb::AllowedOnAlmostFull);
  header = gate.Header(context);
  EXPECT_FALSE(header.fill_cache);
  EXPECT_EQ(header.busy_threshold, std::chrono::milliseconds(20));
  EXPECT_EQ(header.disk_full_opt, 1);
  context.set_max_execution_duration_ms(UINT64_MAX);
  EXPECT_GT(gate.Header(context).deadline, clock.Now()) << "no overflow";
}

}  // namespace
}  // namespace tikv::server
