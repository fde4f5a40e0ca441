#include "server/raftstore/snapshot/chunks.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "lib/engine/mem/mem_engine.h"
#include "lib/env/posix/file_system.h"

namespace tikv::server {
namespace {

using engine::Cf;

class ChunksTest : public testing::Test {
 protected:
  ChunksTest() : engine_(engine::NewMemEngine(&fs_)) {
    std::string dir = testing::TempDir() + "chunks-XXXXXX";
    dir_ = mkdtemp(dir.data());
    engine::WriteBatch batch;
    for (int i = 0; i < 100; ++i) {
      batch.Put(Cf::kDefault, fmt::format("zk{:03}", i), std::string(100, 'v'));
      if (i % 2 == 0) batch.Put(Cf::kWrite, fmt::format("zk{:03}", i), "w");
    }
    batch.Put(Cf::kDefault, "zother", "x");
    EXPECT_TRUE(engine_->Write(&batch).ok());
  }
  ~ChunksTest() override { RemoveAll(&fs_, dir_).IgnoreError(); }

  std::vector<std::string> Chunks() {
    SnapshotReader reader(engine_->GetSnapshot(), "k", "l", 1000);
    std::vector<std::string> chunks;
    std::string chunk;
    while (*reader.Next(&chunk)) chunks.push_back(chunk);
    return chunks;
  }
  SnapshotBuilder Builder() {
    return SnapshotBuilder(engine_.get(), &fs_, JoinPath(dir_, "s"), "k", "l");
  }

  PosixFileSystem fs_;
  std::unique_ptr<engine::KvEngine> engine_;
  std::string dir_;
};

TEST_F(ChunksTest, RoundTrip) {
  auto builder = Builder();
  const auto chunks = Chunks();
  ASSERT_GT(chunks.size(), 10u);
  for (const std::string& chunk : chunks) ASSERT_TRUE(builder.Add(chunk).ok());
  auto files = builder.Finish();
  ASSERT_TRUE(files.ok());
  auto other = engine::NewMemEngine(&fs_);
  for (const auto& [cf, path] : (*files)->files) ASSERT_TRUE(other->IngestSst(cf, {path}).ok());
  std::string value;
  EXPECT_TRUE(*other->Get(Cf::kWrite, "zk098", &value));
  EXPECT_TRUE(*other->Get(Cf::kDefault, "zk099", &value));
  EXPECT_FALSE(*other->Get(Cf::kDefault, "zother", &value));
  files->reset();
  EXPECT_FALSE(fs_.Exists(JoinPath(dir_, "s")));
}

TEST_F(ChunksTest, RefusesDamage) {
  const auto chunks = Chunks();
  {
    auto builder = Builder();
    std::string flipped = chunks[0];
    flipped[50] ^= 1;
    EXPECT_FALSE(builder.Add(flipped).ok());
  }
  {
    auto builder = Builder();
    EXPECT_TRUE(builder.Add(chunks[0]).ok());
    EXPECT_FALSE(builder.Add(chunks[0]).ok());  // Twice.
  }
  {
    auto builder = Builder();
    EXPECT_TRUE(builder.Add(chunks[0]).ok());
    EXPECT_FALSE(builder.Add(chunks.back()).ok());  // Chunks missing.
    EXPECT_FALSE(builder.Finish().ok());
  }
  {
    SnapshotBuilder narrow(engine_.get(), &fs_, JoinPath(dir_, "n"), "k", "k001");
    EXPECT_FALSE(narrow.Add(chunks[0]).ok());  // Keys outside.
  }
  EXPECT_FALSE(fs_.Exists(JoinPath(dir_, "s")));
}

}  // namespace
}  // namespace tikv::server
