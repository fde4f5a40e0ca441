// Frames between members, and snapshots as files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/env/posix/file_system.h"
#include "pd/meta/replica/frame.h"
#include "pd/meta/replica/snapshot_file.h"

namespace tikv::pd::meta {
namespace {

using engine::Cf;

TEST(FrameTest, SurvivesTheWire) {
  Frame call{.type = FrameType::kCall,
             .id = 1u << 20,
             .method = CallMethod::kRenewLease,
             .payload = EncodeNumbers(7, 9)};
  auto got = DecodeFrame(EncodeFrame(call));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->id, call.id);
  EXPECT_EQ(got->method, call.method);
  uint64_t first = 0, second = 0;
  ASSERT_TRUE(DecodeNumbers(got->payload, &first, &second));
  EXPECT_EQ(first, 7u);
  EXPECT_EQ(second, 9u);

  Frame reply{.type = FrameType::kReply, .id = 3, .status = Unavailable("not leader")};
  got = DecodeFrame(EncodeFrame(reply));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->status, reply.status);
}

TEST(FrameTest, NonsenseIsAnError) {
  for (const std::string& bytes :
       {std::string(), std::string("\x7f"), std::string("\x02"), std::string("\x02\x80"),
        std::string("\x03\x01\x05\xff\xff\x7f", 6)}) {
    EXPECT_FALSE(DecodeFrame(bytes).ok()) << Hex(bytes);
  }
}

class SnapshotFileTest : public testing::Test {
 protected:
  SnapshotFileTest()
      : path_(testing::TempDir() + "/meta-snapshot-test-" +
              testing::UnitTest::GetInstance()->current_test_info()->name()),
        from_(engine::NewMemEngine(&fs_)),
        to_(engine::NewMemEngine(&fs_)) {
    Put(from_.get(), 3'000, std::string(1'000, 'v'));
    Put(to_.get(), 10, "old");
    engine::WriteBatch batch;
    batch.Put(Cf::kDefault, "zzz", "only here");
    CHECK_OK(to_->Write(&batch));
  }
  ~SnapshotFileTest() override { fs_.Remove(path_).IgnoreError(); }

  static void Put(engine::KvEngine* engine, int n, const std::string& value) {
    engine::WriteBatch batch;
    for (int i = 0; i < n; ++i) batch.Put(Cf::kDefault, fmt::format("k{:05}", i), value);
    CHECK_OK(engine->Write(&batch));
  }
  static std::map<std::string, std::string> All(const engine::KvEngine& engine) {
    std::map<std::string, std::string> all;
    auto it = engine.NewIterator(Cf::kDefault, {});
    for (it->SeekToFirst(); it->Valid(); it->Next()) all.emplace(it->key(), it->value());
    return all;
  }
  void WriteFile() {
    ChunkReader chunks(from_->GetSnapshot());
    std::string bytes;
    while (!chunks.done()) {
      auto chunk = chunks.Next();
      CHECK_OK(chunk);
      EXPECT_TRUE(ChunkIsIntact(*chunk));
      EXPECT_EQ(ChunkIsLast(*chunk), chunks.done());
      bytes += *chunk;
    }
    CHECK_OK(WriteFileAtomic(&fs_, path_, bytes));
  }

  PosixFileSystem fs_;
  const std::string path_;
  std::unique_ptr<engine::KvEngine> from_, to_;
};

TEST_F(SnapshotFileTest, ReplacesAllThatWasThere) {
  WriteFile();
  ASSERT_EQ(InstallSnapshotFile(&fs_, to_.get(), path_, 42, 7), absl::OkStatus());
  EXPECT_EQ(All(*to_), All(*from_));
  auto installed = FinishInstallation(&fs_, to_.get());
  ASSERT_TRUE(installed.ok());
  EXPECT_EQ(installed->index, 42u);
  EXPECT_EQ(installed->term, 7u);
}

TEST_F(SnapshotFileTest, AnInstallationCutShortIsRepeatedAtStart) {
  WriteFile();
  auto whole = ReadFile(&fs_, path_);
  ASSERT_TRUE(whole.ok());
  // Half the file stands for a crash half way.
  CHECK_OK(WriteFileAtomic(&fs_, path_, std::string_view(*whole).substr(0, whole->size() / 2)));
  EXPECT_TRUE(absl::IsDataLoss(InstallSnapshotFile(&fs_, to_.get(), path_, 42, 7)));
  EXPECT_NE(All(*to_), All(*from_));
  CHECK_OK(WriteFileAtomic(&fs_, path_, *whole));
  auto installed = FinishInstallation(&fs_, to_.get());
  ASSERT_TRUE(installed.ok()) << installed.status();
  EXPECT_EQ(installed->index, 42u);
  EXPECT_EQ(All(*to_), All(*from_));
}

TEST_F(SnapshotFileTest, ADamagedChunkIsSeen) {
  WriteFile();
  auto bytes = ReadFile(&fs_, path_);
  (*bytes)[bytes->size() / 2] ^= 1;
  CHECK_OK(WriteFileAtomic(&fs_, path_, *bytes));
  EXPECT_TRUE(absl::IsDataLoss(InstallSnapshotFile(&fs_, to_.get(), path_, 42, 7)));
}

}  // namespace
}  // namespace tikv::pd::meta
