// What only RocksDB has: a folder that outlives the process.  The common behaviour is in
// conformance/.
#include "lib/engine/rocks/rocks_engine.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <stdlib.h>

#include "lib/base/status.h"
#include "lib/env/posix/file_system.h"

namespace tikv::engine {
namespace {

class RocksEngineTest : public ::testing::Test {
 protected:
  RocksEngineTest() {
    std::string pattern = ::testing::TempDir() + "rocks-XXXXXX";
    root_ = mkdtemp(pattern.data());
    options_.dir = root_ + "/db";
  }
  ~RocksEngineTest() override {
    db_.reset();
    EXPECT_TRUE(RemoveAll(&fs_, root_).ok());
  }
  absl::Status Open() {
    db_.reset();
    ASSIGN_OR_RETURN(db_, OpenRocksEngine(options_));
    return absl::OkStatus();
  }
  void Put(std::string_view key, std::string_view value) {
    WriteBatch batch;
    batch.Put(Cf::kWrite, key, value);
    ASSERT_TRUE(db_->Write(&batch).ok());
  }
  std::string Get(std::string_view key) {
    std::string value = "(none)";
    EXPECT_TRUE(db_->Get(Cf::kWrite, key, &value).ok());
    return value;
  }

  PosixFileSystem fs_;
  std::string root_;
  RocksOptions options_;
  std::unique_ptr<RocksKvEngine> db_;
};

TEST_F(RocksEngineTest, KeepsUnflushedWritesOverAReopen) {
  ASSERT_TRUE(Open().ok());
  Put("k", "v");
  ASSERT_TRUE(db_->Sync().ok());
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Get("k"), "v");
}

TEST_F(RocksEngineTest, FolderInUseIsUnavailable) {
  ASSERT_TRUE(Open().ok());
  const auto second = OpenRocksEngine(options_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable) << second.status();
}

TEST_F(RocksEngineTest, ForeignFolderIsRefusedUntouched) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, options_.dir, &raw).ok());
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  ASSERT_TRUE(raw->CreateColumnFamily({}, "photos", &handle).ok());
  delete handle;
  delete raw;
  const absl::Status s = Open();
  EXPECT_EQ(s.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(Message(s).find("'photos'"), std::string_view::npos);
}

TEST_F(RocksEngineTest, CorruptManifestIsDataLossNotACrash) {
  ASSERT_TRUE(Open().ok());
  Put("k", "v");
  db_.reset();
  ASSERT_TRUE(WriteFileAtomic(&fs_, options_.dir + "/CURRENT", "nonsense").ok());
  EXPECT_FALSE(Open().ok());
}

TEST_F(RocksEngineTest, CacheOnlyReadsSayWhenTheyNeedTheDisk) {
  ASSERT_TRUE(Open().ok());
  Put("k", "v");
  ASSERT_TRUE(db_->Flush().ok());
  ASSERT_TRUE(Open().ok());  // Empty cache.
  PinnedValue value;
  EXPECT_EQ(db_->Get(Cf::kWrite, "k", &value, {.cache_only = true}).status().code(),
            absl::StatusCode::kUnavailable);
  auto it = db_->NewIterator(Cf::kWrite, {.cache_only = true});
  it->SeekToFirst();
  EXPECT_FALSE(it->Valid());
  EXPECT_EQ(it->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(*db_->Get(Cf::kWrite, "k", &value));
  EXPECT_TRUE(*db_->Get(Cf::kWrite, "k", &value, {.cache_only = true}));
  EXPECT_EQ(value.view(), "v");
}

TEST_F(RocksEngineTest, StatsHaveCacheAndFamilies) {
  ASSERT_TRUE(Open().ok());
  Put("k", "v");
  ASSERT_TRUE(db_->Flush().ok());
  std::map<std::string, uint64_t> stats;
  for (const auto& [name, value] : db_->Stats()) stats[name] = value;
  EXPECT_EQ(stats.at("block-cache-capacity"), options_.block_cache_bytes);
  EXPECT_EQ(stats.at("num-files-at-level0/write"), 1u);
  EXPECT_EQ(stats.at("estimate-num-keys/write"), 1u);
  EXPECT_EQ(stats.at("num-files-at-level0/lock"), 0u);
  EXPECT_GT(stats.at("rocksdb.bytes.written"), 0u);
}

TEST_F(RocksEngineTest, OptionsChangeWhileOpen) {
  ASSERT_TRUE(Open().ok());
  options_.block_cache_bytes = 7 << 20;
  options_.background_threads = 3;
  options_.compaction_bytes_per_sec = 5 << 20;
  RocksCfOptions& write = options_.cf[static_cast<size_t>(Cf::kWrite)];
  write.level0_compaction_trigger = 19;
  write.write_buffer_bytes = 1 << 20;
  ASSERT_TRUE(db_->Reconfigure(options_).ok());
  // A memtable of 1 MiB cannot hold this: it is flushed by itself.
  const std::string value(128 << 10, 'v');
  for (int i = 0; i < 30; ++i) Put(std::to_string(i), value);
  ASSERT_TRUE(db_->Flush().ok());
  std::map<std::string, uint64_t> stats;
  for (const auto& [name, value] : db_->Stats()) stats[name] = value;
  EXPECT_EQ(stats.at("block-cache-capacity"), uint64_t{7} << 20);
  EXPECT_GT(stats.at("num-files-at-level0/write"), 1u);
  EXPECT_EQ(Get("3"), value);
  options_.compaction_bytes_per_sec = 1;  // Slow, but not for ever.
  ASSERT_TRUE(db_->Reconfigure(options_).ok());
  Put("slow", value);
  ASSERT_TRUE(db_->Flush().ok());
  write.write_buffer_bytes = 1 << 10;
  EXPECT_EQ(db_->Reconfigure(options_).code(), absl::StatusCode::kInvalidArgument);
  write.write_buffer_bytes = 1 << 20;
  write.level0_slowdown_trigger = 18;
  EXPECT_EQ(db_->Reconfigure(options_).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tikv::engine
