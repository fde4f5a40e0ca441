#include "server/node/live_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "lib/base/status.h"
#include "lib/env/posix/file_system.h"
#include "server/node/engine_options.h"

namespace tikv::server {
namespace {

using testing::HasSubstr;

class LiveConfigTest : public ::testing::Test {
 protected:
  LiveConfigTest() {
    std::string pattern = ::testing::TempDir() + "config-XXXXXX";
    dir_ = mkdtemp(pattern.data());
    config_.storage.data_dir = dir_;
  }
  ~LiveConfigTest() override { EXPECT_TRUE(RemoveAll(&files_, dir_).ok()); }

  std::string Text(const std::string& name) { return *ReadFile(&files_, JoinPath(dir_, name)); }

  PosixFileSystem files_;
  std::string dir_;
  NodeConfig config_;
};

TEST_F(LiveConfigTest, PersistingChangesOnlyTheKeysInTheFile) {
  const std::string path = JoinPath(dir_, "tikv.toml");
  ASSERT_TRUE(WriteFileAtomic(&files_, path, "# mine\n[log]\nlevel = \"info\"\n").ok());
  config_.server.addr = "1.2.3.4:5";  // From a flag: none of the file's business.
  LiveConfig live(config_, path, &files_);
  ASSERT_TRUE(live.Change(R"({"coprocessor.region-split-size": "32MB"})", true).ok());
  EXPECT_EQ(Text("tikv.toml"),
            "# mine\n[log]\nlevel = \"info\"\n\n[coprocessor]\nregion-split-size = \"32MiB\"\n");
  ASSERT_TRUE(live.Change(R"({"log.level": "warn"})", false).ok());
  EXPECT_THAT(Text("tikv.toml"), HasSubstr("level = \"info\""));
  EXPECT_THAT(live.Json(), HasSubstr("\"region-split-size\": \"32MiB\""));
}

TEST_F(LiveConfigTest, WithoutAFileLastTikvTomlIsChanged) {
  LiveConfig live(config_, "", &files_);
  ASSERT_TRUE(live.WriteLast().ok());
  EXPECT_THAT(Text("last_tikv.toml"), HasSubstr("raft-log-gc-threshold = 50"));
  ASSERT_TRUE(live.Change(R"({"raftstore.raft-log-gc-threshold": 77})", true).ok());
  EXPECT_THAT(Text("last_tikv.toml"), HasSubstr("raft-log-gc-threshold = 77"));
}

TEST_F(LiveConfigTest, AFileThatCannotBeWrittenIsToldAfterTheChange) {
  LiveConfig live(config_, JoinPath(dir_, "no/such/folder.toml"), &files_);
  const absl::Status status = live.Change(R"({"raftstore.raft-log-gc-threshold": 77})", true);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("config changed, but failed to persist"));
  EXPECT_EQ(live.Get()->raftstore.raft_log_gc_threshold, 77u);
}

TEST_F(LiveConfigTest, RefusesWhatIsFixedOrDoesNotFit) {
  LiveConfig live(config_, "", &files_);
  for (const char* change :
       {R"({"storage.data-dir": "x"})", R"({"raftstore.raft-base-tick-interval": "1s"})",
        R"({"server.labels": {}})", R"({"rocksdb.defaultcf.block-size": "1KB"})",
        R"({"raftstore.raft-store-max-leader-lease": "9s"})",
        R"({"rocksdb.writecf.level0-file-num-compaction-trigger": 21})",
        R"({"coprocessor.region-split-size": "1GB"})", R"({"no-such-key": 1})"}) {
    EXPECT_EQ(live.Change(change, true).code(), absl::StatusCode::kInvalidArgument) << change;
  }
}

// What reaches the raftstore and RocksDB, by key.
TEST_F(LiveConfigTest, ChangesReachTheParts) {
  LiveConfig live(config_, "", &files_);
  RaftStoreConfig raft;
  engine::RocksOptions rocks;
  live.Observe([&](const NodeConfig& config) {
    raft = RaftStoreConfigOf(config);
    rocks = RocksOptionsOf(config, &files_);
    return absl::OkStatus();
  });
  ASSERT_TRUE(live.Change(R"({
    "raftstore": {"raft-log-gc-size-limit": "5MB", "max-peer-down-duration": "7s",
                  "split-region-check-tick-interval": "1s", "raft-entry-max-size": "2MB"},
    "server.snap-io-max-bytes-per-sec": "0", "server.concurrent-send-snap-limit": 3,
    "storage.block-cache.capacity": "9MB", "rocksdb.rate-bytes-per-sec": "1MB",
    "rocksdb.writecf.write-buffer-size": "4MB", "rocksdb.max-background-jobs": 3})",
                          false)
                  .ok());
  EXPECT_EQ(raft.log_gc_size_limit, uint64_t{5} << 20);
  EXPECT_EQ(raft.max_peer_down, std::chrono::seconds(7));
  EXPECT_EQ(raft.split_check_interval, std::chrono::seconds(1));
  EXPECT_EQ(raft.max_entry_bytes, uint64_t{2} << 20);
  EXPECT_EQ(raft.snapshot_bytes_per_second, 0u);
  EXPECT_EQ(raft.max_sending_snapshots, 3u);
  EXPECT_EQ(rocks.block_cache_bytes, uint64_t{9} << 20);
  EXPECT_EQ(rocks.compaction_bytes_per_sec, uint64_t{1} << 20);
  EXPECT_EQ(rocks.background_threads, 3);
  EXPECT_EQ(rocks.cf[static_cast<size_t>(engine::Cf::kWrite)].write_buffer_bytes,
            uint64_t{4} << 20);
}

}  // namespace
}  // namespace tikv::server
