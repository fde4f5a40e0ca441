#include "lib/env/posix/file_system.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "lib/base/status.h"

namespace tikv {
namespace {

class PosixFileSystemTest : public ::testing::Test {
 protected:
  PosixFileSystemTest() {
    std::string pattern = ::testing::TempDir() + "fs-XXXXXX";
    dir_ = mkdtemp(pattern.data());
  }
  ~PosixFileSystemTest() override { EXPECT_TRUE(RemoveAll(&fs_, dir_).ok()); }
  std::string Path(std::string_view name) const { return JoinPath(dir_, name); }

  PosixFileSystem fs_;
  std::string dir_;
};

TEST_F(PosixFileSystemTest, WritesAndReadsAtOffsets) {
  auto file = *fs_.Open(Path("f"), OpenOptions::CreateNew());
  ASSERT_TRUE(file->Append("hello ").ok());
  ASSERT_TRUE(file->Append("world").ok());
  ASSERT_TRUE(file->WriteAt(0, "J").ok());
  char out[32];
  EXPECT_EQ(*file->ReadAt(0, out, 5), 5u);
  EXPECT_EQ(std::string(out, 5), "Jello");
  EXPECT_EQ(*file->ReadAt(6, out, sizeof(out)), 5u) << "short only at the end";
  ASSERT_TRUE(file->Truncate(3).ok());
  EXPECT_EQ(*file->Size(), 3u);
  ASSERT_TRUE(file->Allocate(4096).ok());
  EXPECT_EQ(*file->Size(), 4096u);
  EXPECT_TRUE(file->SyncData().ok());
  EXPECT_TRUE(file->Sync().ok());
}

TEST_F(PosixFileSystemTest, SaysWhatWentWrong) {
  const auto missing = fs_.Open(Path("none"), OpenOptions::Read());
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(Message(missing.status()).find("/none: No such file"), std::string_view::npos);
  ASSERT_TRUE(fs_.Open(Path("f"), OpenOptions::Create()).ok());
  EXPECT_EQ(fs_.Open(Path("f"), OpenOptions::CreateNew()).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(fs_.CreateDirs(Path("f/sub")).ok()) << "a file is in the way";
}

TEST_F(PosixFileSystemTest, ManagesNames) {
  ASSERT_TRUE(fs_.CreateDirs(Path("a/b/c")).ok());
  ASSERT_TRUE(fs_.CreateDirs(Path("a/b/c")).ok());
  ASSERT_TRUE(WriteFileAtomic(&fs_, Path("a/two"), "2").ok());
  ASSERT_TRUE(WriteFileAtomic(&fs_, Path("a/two"), "22").ok());
  ASSERT_TRUE(fs_.Rename(Path("a/two"), Path("a/one")).ok());
  ASSERT_TRUE(fs_.SyncDir(Path("a")).ok());
  EXPECT_EQ(*fs_.List(Path("a")), (std::vector<std::string>{"b", "one"}));
  EXPECT_EQ(*ReadFile(&fs_, Path("a/one")), "22");
  EXPECT_EQ(ReadFile(&fs_, Path("a/one"), 1).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*fs_.FileSize(Path("a/one")), 2u);
  EXPECT_TRUE(RemoveAll(&fs_, Path("a")).ok());
  EXPECT_FALSE(fs_.Exists(Path("a")));
  EXPECT_TRUE(RemoveAll(&fs_, Path("a")).ok());
  EXPECT_GT(fs_.Space(dir_)->capacity, fs_.Space(dir_)->available);
}

TEST_F(PosixFileSystemTest, LockExcludesAndNamesTheHolder) {
  auto held = fs_.Lock(Path("LOCK"));
  ASSERT_TRUE(held.ok());
  const auto second = fs_.Lock(Path("LOCK"));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(Message(second.status()).find(std::to_string(getpid())), std::string_view::npos);
  held->reset();
  EXPECT_TRUE(fs_.Lock(Path("LOCK")).ok());
}

TEST(PathTest, JoinsAndSplits) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(DirName("a/b/c"), "a/b");
  EXPECT_EQ(DirName("/a"), "/");
  EXPECT_EQ(DirName("a"), ".");
}

}  // namespace
}  // namespace tikv
