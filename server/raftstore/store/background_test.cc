#include "server/raftstore/store/background.h"

#include <gtest/gtest.h>

#include "lib/base/bytes.h"
#include "lib/base/memcomparable.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/env/posix/file_system.h"
#include "server/codec/keys.h"
#include "server/codec/timestamp.h"

namespace tikv::server {
namespace {

TEST(SplitBoundary, VersionsOfAKeyStayTogether) {
  const std::string encoded = EncodeMemcomparable("key");
  std::string versioned = encoded;
  AppendTimestamp(&versioned, 42);
  EXPECT_EQ(SplitBoundary(DataKey(versioned)), encoded);
  EXPECT_EQ(SplitBoundary(DataKey(encoded)), encoded);
  EXPECT_EQ(SplitBoundary(DataKey("a raw key")), "a raw key");
}

class SplitCheckTest : public testing::Test {
 protected:
  SplitCheckTest() : engine_(engine::NewMemEngine(&fs_)) {
    config_.region_split_bytes = 10'000;
    config_.region_max_bytes = 15'000;
  }
  void Fill(int keys) {
    engine::WriteBatch batch;
    for (int i = 0; i < keys; ++i) {
      batch.Put(engine::Cf::kDefault, DataKey(fmt::format("k{:03}", i)), std::string(100, 'v'));
    }
    ASSERT_TRUE(engine_->Write(&batch).ok());
  }
  SplitCheckResult Check(bool forced = false) {
    return RunSplitCheck(*engine_, config_, {RegionId(1), 1, "k", "l", forced});
  }
  PosixFileSystem fs_;
  std::unique_ptr<engine::KvEngine> engine_;
  RaftStoreConfig config_;
};

TEST_F(SplitCheckTest, SmallRegionsStayWhole) {
  Fill(50);
  EXPECT_TRUE(Check().split_keys.empty());
  EXPECT_GT(Check().bytes, 5'000u);
  EXPECT_EQ(Check(true).split_keys.size(), 1u);
}

TEST_F(SplitCheckTest, LargeOnesAreCutInside) {
  Fill(500);
  const SplitCheckResult result = Check();
  ASSERT_GE(result.split_keys.size(), 2u);
  EXPECT_LE(result.split_keys.size(), config_.max_split_batch);
  EXPECT_TRUE(std::is_sorted(result.split_keys.begin(), result.split_keys.end()));
  for (const std::string& key : result.split_keys) EXPECT_TRUE(InRange(key, "k", "l"));
}

TEST_F(SplitCheckTest, NothingToCut) { EXPECT_TRUE(Check(true).split_keys.empty()); }

}  // namespace
}  // namespace tikv::server
