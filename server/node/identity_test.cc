#include "server/node/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/env/posix/file_system.h"
#include "server/codec/keys.h"
#include "server/node/config.h"

namespace tikv::server {
namespace {

using testing::HasSubstr;

// A PD that answers at once.  What a start does not ask is not answered.
class FakePd : public PdClient {
 public:
  ClusterId cluster{77};
  std::optional<metapb::Region> first_region;  // Set: the cluster is bootstrapped.
  uint64_t next_id = 1;
  bool lose_bootstrap_reply = false;

  ClusterId cluster_id() const override { return cluster; }
  void IsBootstrapped(Callback<absl::StatusOr<bool>> done) override {
    std::move(done)(first_region.has_value());
  }
  void Bootstrap(metapb::Store, metapb::Region region, Callback<absl::Status> done) override {
    if (first_region.has_value()) return std::move(done)(AlreadyExists("somebody was first"));
    first_region = std::move(region);
    std::move(done)(lose_bootstrap_reply ? Unavailable("gone") : absl::OkStatus());
  }
  void AllocIds(uint32_t count, Callback<absl::StatusOr<std::vector<uint64_t>>> done) override {
    std::vector<uint64_t> ids;
    while (ids.size() < count) ids.push_back(next_id++);
    std::move(done)(std::move(ids));
  }
  void GetRegionById(RegionId id, Callback<absl::StatusOr<PdRegion>> done) override {
    if (!first_region.has_value() || first_region->id() != id.value) {
      return std::move(done)(NotFound("no such region"));
    }
    std::move(done)(PdRegion{*first_region, std::nullopt});
  }

  void PutStore(metapb::Store, Callback<absl::Status>) override {}
  void GetStore(StoreId, Callback<absl::StatusOr<metapb::Store>>) override {}
  void GetAllStores(Callback<absl::StatusOr<std::vector<metapb::Store>>>) override {}
  void GetClusterConfig(Callback<absl::StatusOr<metapb::Cluster>>) override {}
  void StoreHeartbeat(pdpb::StoreStats,
                      Callback<absl::StatusOr<pdpb::StoreHeartbeatResponse>>) override {}
  void SetRegionHeartbeatHandler(std::function<void(const pdpb::RegionHeartbeatResponse&)>,
                                 std::function<void()>) override {}
  void RegionHeartbeat(pdpb::RegionHeartbeatRequest) override {}
  void AskBatchSplit(metapb::Region, uint32_t,
                     Callback<absl::StatusOr<std::vector<pdpb::SplitID>>>) override {}
  void ReportBatchSplit(std::vector<metapb::Region>, Callback<absl::Status>) override {}
  void GetRegion(std::string, Callback<absl::StatusOr<PdRegion>>) override {}
  void Tso(Callback<absl::StatusOr<Timestamp>>) override {}
  void GetGcSafePoint(Callback<absl::StatusOr<Timestamp>>) override {}
};

class IdentityTest : public testing::Test {
 protected:
  bool Has(std::string_view key) {
    std::string value;
    return *engine_->Get(engine::Cf::kRaft, key, &value);
  }
  absl::Status Begin() {
    metapb::Store store;
    store.set_id(1);
    return BootstrapCluster(engine_.get(), &pd_, store);
  }

  PosixFileSystem files_;
  std::unique_ptr<engine::KvEngine> engine_ = engine::NewMemEngine(&files_);
  FakePd pd_;
};

TEST_F(IdentityTest, IsTakenOnceAndKept) {
  const auto first = LoadOrCreateIdentity(engine_.get(), &pd_, ApiVersion::kV1, "d");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->store, StoreId(1));
  EXPECT_EQ(first->cluster, ClusterId(77));
  const auto again = LoadOrCreateIdentity(engine_.get(), &pd_, ApiVersion::kV1, "d");
  EXPECT_EQ(again->store, StoreId(1));
  EXPECT_EQ(pd_.next_id, 2u) << "no second id";
}

TEST_F(IdentityTest, RefusesForeignFoldersAndModes) {
  ASSERT_TRUE(LoadOrCreateIdentity(engine_.get(), &pd_, ApiVersion::kV1, "d").ok());
  const auto other_mode = LoadOrCreateIdentity(engine_.get(), &pd_, ApiVersion::kV2, "d");
  EXPECT_THAT(std::string(Message(other_mode.status())), HasSubstr("created with API V1"));
  pd_.cluster = ClusterId(78);
  const auto foreign = LoadOrCreateIdentity(engine_.get(), &pd_, ApiVersion::kV1, "d");
  EXPECT_THAT(std::string(Message(foreign.status())), HasSubstr("belongs to cluster 77"));
}

TEST_F(IdentityTest, FirstStoreMakesTheRegion) {
  ASSERT_TRUE(Begin().ok());
  ASSERT_TRUE(pd_.first_region.has_value());
  EXPECT_TRUE(Has(RegionStateKey(RegionId(pd_.first_region->id()))));
  EXPECT_FALSE(Has(kPrepareBootstrapKey));
  ASSERT_TRUE(Begin().ok()) << "and leaves it alone at the next start";
  EXPECT_TRUE(Has(RegionStateKey(RegionId(pd_.first_region->id()))));
}

TEST_F(IdentityTest, LaterStoresMakeNone) {
  pd_.first_region.emplace().set_id(99);
  ASSERT_TRUE(Begin().ok());
  EXPECT_FALSE(Has(RegionStateKey(RegionId(1))));
}

TEST_F(IdentityTest, ALostReplyIsMadeUpForAtTheNextStart) {
  pd_.lose_bootstrap_reply = true;
  EXPECT_FALSE(Begin().ok());
  EXPECT_TRUE(Has(kPrepareBootstrapKey));
  ASSERT_TRUE(Begin().ok());
  EXPECT_TRUE(Has(RegionStateKey(RegionId(pd_.first_region->id()))));
  EXPECT_FALSE(Has(kPrepareBootstrapKey));
}

TEST_F(IdentityTest, LosingTheRaceDropsTheRegion) {
  pd_.lose_bootstrap_reply = true;
  EXPECT_FALSE(Begin().ok());
  const RegionId prepared(pd_.first_region->id());
  pd_.first_region->set_id(prepared.value + 1000);  // It was another's after all.
  ASSERT_TRUE(Begin().ok());
  EXPECT_FALSE(Has(RegionStateKey(prepared)));
  EXPECT_FALSE(Has(kPrepareBootstrapKey));
}

TEST(NodeConfig, ValidatesWhatConcernsSeveralFields) {
  EXPECT_TRUE(NodeConfig().Validate().ok());
  NodeConfig v2;
  v2.storage.api_version = 2;
  EXPECT_THAT(std::string(Message(v2.Validate())), HasSubstr("enable-ttl"));
  v2.storage.enable_ttl = true;
  EXPECT_TRUE(v2.Validate().ok());
  EXPECT_EQ(v2.api(), ApiVersion::kV2);
  NodeConfig lease;
  lease.raftstore.raft_store_max_leader_lease = std::chrono::seconds(2);
  EXPECT_THAT(std::string(Message(lease.Validate())), HasSubstr("election timeout"));
  NodeConfig any;
  any.server.addr = "0.0.0.0:20160";
  EXPECT_THAT(std::string(Message(any.Validate())), HasSubstr("advertise-addr"));
  any.server.advertise_addr = "store:20160";
  EXPECT_TRUE(any.Validate().ok());
}

}  // namespace
}  // namespace tikv::server
