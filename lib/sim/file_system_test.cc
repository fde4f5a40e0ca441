#include "lib/sim/file_system.h"

#include <gtest/gtest.h>

#include "lib/base/status.h"

namespace tikv::sim {
namespace {

class SimFileSystemTest : public ::testing::Test {
 protected:
  SimFileSystemTest() { EXPECT_TRUE(fs_.CreateDirs("/d/sub").ok()); }

  std::unique_ptr<File> Create(const std::string& path, std::string_view data) {
    auto file = *fs_.Open(path, OpenOptions::Create());
    EXPECT_TRUE(file->WriteAt(0, data).ok());
    return file;
  }
  std::string Contents(const std::string& path) {
    auto data = ReadFile(&fs_, path);
    return data.ok() ? *data : std::string(absl::StatusCodeToString(data.status().code()).data());
  }

  SimFileSystem fs_{Random(1)};
};

TEST_F(SimFileSystemTest, WorksAsAFileSystem) {
  auto file = Create("/d/f", "hello");
  ASSERT_TRUE(file->Append(" world").ok());
  EXPECT_EQ(Contents("/d/f"), "hello world");
  ASSERT_TRUE(file->Truncate(2).ok());
  ASSERT_TRUE(file->Allocate(4).ok());
  EXPECT_EQ(Contents("/d/f"), std::string("he\0\0", 4));
  EXPECT_EQ(*fs_.List("/d"), (std::vector<std::string>{"f", "sub"}));
  ASSERT_TRUE(fs_.Rename("/d/f", "/d/g").ok());
  EXPECT_EQ(Contents("/d/f"), "NOT_FOUND");
  EXPECT_EQ(fs_.Open("/nowhere/f", OpenOptions::Create()).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(fs_.Open("/d/g", OpenOptions::CreateNew()).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(fs_.Remove("/d").ok()) << "not empty";
  ASSERT_TRUE(fs_.Remove("/d/g").ok());
  EXPECT_EQ(*fs_.List("/d"), (std::vector<std::string>{"sub"}));
}

TEST_F(SimFileSystemTest, SyncedDataUnderASyncedNameSurvives) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(WriteFileAtomic(&fs_, "/d/f", fmt::format("version {}", i)).ok());
    Create("/d/other", "never synced");
    fs_.Crash();
    EXPECT_EQ(Contents("/d/f"), fmt::format("version {}", i));
  }
}

// Over many crashes every allowed outcome shows up, and no other.
TEST_F(SimFileSystemTest, UnsyncedSectorsAreKeptDroppedOrTorn) {
  const std::string old(1024, 'o'), fresh(1024, 'n');
  int kept = 0, dropped = 0, mixed = 0, torn = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(WriteFileAtomic(&fs_, "/d/f", old).ok());
    Create("/d/f", fresh);
    fs_.Crash();
    const std::string after = Contents("/d/f");
    ASSERT_EQ(after.size(), 1024u);
    if (after == fresh) {
      ++kept;
    } else if (after == old) {
      ++dropped;
    } else if (after.find_first_not_of("on") == std::string::npos) {
      ++mixed;
    } else {
      ++torn;
    }
  }
  for (const int count : {kept, dropped, mixed, torn}) EXPECT_GT(count, 5);
}

TEST_F(SimFileSystemTest, UnsyncedNamesMayGoAndRenamesAreAtomic) {
  int lost = 0, old_name = 0, new_name = 0;
  for (int i = 0; i < 100; ++i) {
    const bool durable = i % 2 == 0;
    ASSERT_TRUE(Create("/d/a", "x")->Sync().ok());
    if (durable) {
      ASSERT_TRUE(fs_.SyncDir("/d").ok());
    }
    ASSERT_TRUE(fs_.Rename("/d/a", "/d/b").ok());
    fs_.Crash();
    const bool a = fs_.Exists("/d/a"), b = fs_.Exists("/d/b");
    EXPECT_FALSE(a && b) << "one file under two names";
    EXPECT_TRUE(a || b || !durable);
    (b ? new_name : a ? old_name : lost)++;
    ASSERT_TRUE(RemoveAll(&fs_, "/d/a").ok());
    ASSERT_TRUE(RemoveAll(&fs_, "/d/b").ok());
    ASSERT_TRUE(fs_.SyncDir("/d").ok());
  }
  for (const int count : {lost, old_name, new_name}) EXPECT_GT(count, 5);
}

TEST_F(SimFileSystemTest, StopsBeforeTheGivenOperation) {
  auto file = Create("/d/f", "1");
  fs_.StopBefore(fs_.operations() + 2);
  EXPECT_TRUE(file->WriteAt(0, "2").ok());
  EXPECT_EQ(file->WriteAt(0, "3").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(fs_.SyncDir("/d").code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(fs_.stopped());
  fs_.Crash();
  EXPECT_FALSE(fs_.stopped());
  EXPECT_EQ(file->WriteAt(0, "4").code(), absl::StatusCode::kFailedPrecondition);
  Create("/d/f", "5");
}

TEST_F(SimFileSystemTest, FailedSyncLosesWhatItWillAndThenSucceeds) {
  int lost = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(WriteFileAtomic(&fs_, "/d/f", "old").ok());
    auto file = Create("/d/f", "new");
    fs_.FailOperation(fs_.operations() + 1);
    EXPECT_EQ(file->SyncData().code(), absl::StatusCode::kInternal);
    EXPECT_TRUE(file->SyncData().ok()) << "the pages count as written";
    EXPECT_EQ(Contents("/d/f"), "new");
    fs_.Crash();
    lost += Contents("/d/f") == "old";
  }
  EXPECT_GT(lost, 5);
}

TEST_F(SimFileSystemTest, FullDiskRotAndLocks) {
  auto file = Create("/d/f", "0123456789");
  fs_.SetCapacity(12);
  EXPECT_EQ(file->Append("abc").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(file->Allocate(13).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(file->WriteAt(0, "abc").ok()) << "no new space is needed";
  EXPECT_EQ(fs_.Space("/d")->available, 2u);
  fs_.Rot("/d/f", 1);
  EXPECT_NE(Contents("/d/f")[1], 'b');

  auto lock = fs_.Lock("/d/LOCK");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(fs_.Lock("/d/LOCK").status().code(), absl::StatusCode::kUnavailable);
  fs_.Crash();
  auto again = fs_.Lock("/d/LOCK");
  EXPECT_TRUE(again.ok());
  lock->reset();  // Of the dead process: must not free the new one.
  EXPECT_FALSE(fs_.Lock("/d/LOCK").ok());
}

}  // namespace
}  // namespace tikv::sim
