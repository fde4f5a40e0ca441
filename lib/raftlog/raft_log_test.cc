#include "lib/raftlog/raft_log.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <thread>

#include "lib/base/status.h"
#include "lib/env/posix/file_system.h"
#include "lib/raftlog/format.h"
#include "lib/raftlog/segment.h"

namespace tikv::raftlog {
namespace {

class RaftLogTest : public ::testing::Test {
 protected:
  RaftLogTest() {
    std::string pattern = ::testing::TempDir() + "raftlog-XXXXXX";
    options_.dir = mkdtemp(pattern.data());
    options_.segment_bytes = 16 << 10;
    options_.max_segments = 4;
    Reopen();
  }
  ~RaftLogTest() override {
    log_.reset();
    EXPECT_TRUE(RemoveAll(&fs_, options_.dir).ok());
  }

  absl::Status TryOpen() {
    log_.reset();
    ASSIGN_OR_RETURN(log_, RaftLog::Open(&fs_, options_, Random(++opened_)));
    return absl::OkStatus();
  }
  void Reopen() {
    const absl::Status s = TryOpen();
    ASSERT_TRUE(s.ok()) << s;
  }
  void Write(bool sync = true) {
    const absl::Status s = log_->Append(&batch_, sync);
    ASSERT_TRUE(s.ok()) << s;
  }
  void AppendEntries(GroupId group, uint64_t from, uint64_t to, uint64_t term, size_t size = 10) {
    for (uint64_t i = from; i <= to; ++i) batch_.AppendEntry(group, i, term, Data(i, term, size));
    Write();
  }
  static std::string Data(uint64_t index, uint64_t term, size_t size = 10) {
    std::string data = fmt::format("{}@{}", index, term);
    data.resize(size, '.');
    return data;
  }
  // "3@1 4@1": indexes and terms as read.
  std::string ReadAll(GroupId group, uint64_t low, uint64_t high, uint64_t max = UINT64_MAX) {
    std::string out;
    const absl::Status s =
        log_->Read(group, low, high, max, [&](uint64_t i, uint64_t t, std::string_view data) {
          if (!out.empty()) out += ' ';
          out += fmt::format("{}@{}", i, t);
          EXPECT_EQ(data, Data(i, t, data.size()));
        });
    return s.ok() ? out : std::string(absl::StatusCodeToString(s.code()).data());
  }
  // Overwrites bytes of a file behind the log's back.
  void Damage(uint32_t sequence, uint64_t offset) {
    log_.reset();
    auto file = *fs_.Open(JoinPath(options_.dir, SegmentName(sequence)), OpenOptions::Write());
    char byte;
    ASSERT_TRUE(file->ReadAt(offset, &byte, 1).ok());
    byte ^= 0x40;
    ASSERT_TRUE(file->WriteAt(offset, std::string_view(&byte, 1)).ok());
  }

  PosixFileSystem fs_;
  Options options_;
  uint64_t opened_ = 0;
  std::unique_ptr<RaftLog> log_;
  LogBatch batch_;
};

TEST_F(RaftLogTest, KeepsEverythingOverAReopen) {
  batch_.CompactTo(7, 5, 5);
  batch_.AppendEntry(7, 6, 5, Data(6, 5));
  batch_.AppendEntry(7, 7, 6, Data(7, 6));
  batch_.SetHardState(7, {.term = 6, .vote = 2, .commit = 6});
  batch_.Put(7, "apply", "state");
  batch_.Put(7, "gone", "x");
  batch_.Delete(7, "gone");
  batch_.AppendEntry(9, 1, 1, Data(1, 1));
  Write();
  EXPECT_TRUE(batch_.empty());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(log_->Groups(), (std::vector<GroupId>{7, 9}));
    EXPECT_EQ(log_->FirstIndex(7), 6u);
    EXPECT_EQ(log_->LastIndex(7), 7u);
    EXPECT_EQ(*log_->Term(7, 5), 5u) << "of the truncated entry";
    EXPECT_EQ(*log_->Term(7, 7), 6u);
    EXPECT_EQ(log_->Term(7, 4).status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(log_->Term(7, 8).status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(log_->GetHardState(7), (HardState{6, 2, 6}));
    EXPECT_EQ(log_->Get(7, "apply"), "state");
    EXPECT_EQ(log_->Get(7, "gone"), std::nullopt);
    EXPECT_EQ(ReadAll(7, 6, 8), "6@5 7@6");
    EXPECT_EQ(ReadAll(9, 1, 2), "1@1");
    Reopen();
  }
}

TEST_F(RaftLogTest, UnknownGroupsAreEmpty) {
  EXPECT_FALSE(log_->Contains(1));
  EXPECT_EQ(log_->FirstIndex(1), 1u);
  EXPECT_EQ(log_->LastIndex(1), 0u);
  EXPECT_EQ(*log_->Term(1, 0), 0u);
  EXPECT_EQ(log_->Term(1, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadAll(1, 1, 2), "NOT_FOUND");
  EXPECT_EQ(log_->GetHardState(1), HardState());
}

TEST_F(RaftLogTest, LaterEntryReplacesTheSuffix) {
  AppendEntries(1, 1, 5, 1);
  AppendEntries(1, 3, 4, 2);
  EXPECT_EQ(ReadAll(1, 1, 5), "1@1 2@1 3@2 4@2");
  Reopen();
  EXPECT_EQ(log_->LastIndex(1), 4u);
  EXPECT_EQ(ReadAll(1, 1, 5), "1@1 2@1 3@2 4@2");
}

TEST_F(RaftLogTest, CompactsWithinAndBeyondTheLog) {
  AppendEntries(1, 1, 10, 1);
  batch_.CompactTo(1, 4, 1);
  batch_.CompactTo(1, 3, 1);  // Back again: nothing.
  Write();
  EXPECT_EQ(ReadAll(1, 4, 6), "OUT_OF_RANGE");
  EXPECT_EQ(ReadAll(1, 5, 7), "5@1 6@1");
  batch_.CompactTo(1, 100, 9);  // A snapshot.
  batch_.AppendEntry(1, 101, 9, Data(101, 9));
  Write();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(log_->FirstIndex(1), 101u);
    EXPECT_EQ(*log_->Term(1, 100), 9u);
    EXPECT_EQ(ReadAll(1, 101, 102), "101@9");
    Reopen();
  }
}

TEST_F(RaftLogTest, RemovedGroupsStayAway) {
  AppendEntries(1, 1, 3, 1);
  batch_.RemoveGroup(1);
  Write();
  EXPECT_FALSE(log_->Contains(1));
  Reopen();
  EXPECT_FALSE(log_->Contains(1));
  AppendEntries(1, 1, 1, 8);  // The id may come back as a new group.
  EXPECT_EQ(ReadAll(1, 1, 2), "1@8");
}

TEST_F(RaftLogTest, ReadStopsAtMaxBytesButGivesOne) {
  AppendEntries(1, 1, 5, 1, /*size=*/100);
  for (int round = 0; round < 2; ++round) {  // From the cache, then from disk.
    EXPECT_EQ(ReadAll(1, 1, 6, 1), "1@1");
    EXPECT_EQ(ReadAll(1, 1, 6, 250), "1@1 2@1");
    EXPECT_EQ(ReadAll(1, 2, 6, 300), "2@1 3@1 4@1");
    Reopen();
  }
}

TEST_F(RaftLogTest, RotatesAndReusesFiles) {
  uint64_t next = 1;
  for (int i = 0; i < 200; ++i, next += 10) {
    AppendEntries(1, next, next + 9, 1, /*size=*/100);
    batch_.CompactTo(1, next + 4, 1);
    Write();
  }
  EXPECT_LE(log_->Stats().segments, 3u);
  EXPECT_LE(fs_.List(options_.dir)->size(), 3u + options_.spare_segments + 1);
  Reopen();
  EXPECT_EQ(log_->LastIndex(1), next - 1);
  EXPECT_EQ(log_->FirstIndex(1), next - 5);
}

TEST_F(RaftLogTest, IdleGroupsMoveOutOfTheWay) {
  AppendEntries(1, 1, 3, 1);  // Never touched again.
  batch_.SetHardState(1, {1, 1, 3});
  batch_.Put(1, "region", "one");
  Write();
  uint64_t next = 1;
  for (int i = 0; i < 400; ++i, next += 10) {
    AppendEntries(2, next, next + 9, 1, /*size=*/100);
    batch_.CompactTo(2, next + 8, 1);
    Write();
  }
  const LogStats stats = log_->Stats();
  EXPECT_LE(stats.segments, options_.max_segments + 1);
  EXPECT_GT(stats.rewritten_bytes, 0u);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ReadAll(1, 1, 4), "1@1 2@1 3@1");
    EXPECT_EQ(log_->GetHardState(1), (HardState{1, 1, 3}));
    EXPECT_EQ(log_->Get(1, "region"), "one");
    Reopen();
  }
}

TEST_F(RaftLogTest, AGroupTooLargeForMemoryIsNotMoved) {
  options_.max_image_bytes = 30'000;
  Reopen();
  for (uint64_t i = 1; i <= 200; ++i) AppendEntries(1, i, i, 1, 1000);
  EXPECT_EQ(log_->Stats().rewritten_bytes, 0u);
  EXPECT_GT(log_->Stats().segments, options_.max_segments + 1);
  batch_.CompactTo(1, 190, 1);
  Write();
  for (uint64_t i = 201; i <= 220; ++i) AppendEntries(1, i, i, 1, 1000);
  EXPECT_LE(log_->Stats().segments, options_.max_segments + 1);
  EXPECT_EQ(log_->LastIndex(1), 220u);
}

TEST_F(RaftLogTest, BatchLargerThanASegment) {
  batch_.AppendEntry(1, 1, 1, Data(1, 1, 100'000));
  Write();
  AppendEntries(1, 2, 2, 1);
  Reopen();
  EXPECT_EQ(ReadAll(1, 1, 3), "1@1 2@1");
}

TEST_F(RaftLogTest, CacheIsBounded) {
  options_.cache_bytes = 8 << 10;
  Reopen();
  uint64_t next = 1;
  for (int i = 0; i < 50; ++i, next += 10) AppendEntries(1, next, next + 9, 1, 100);
  EXPECT_LE(log_->Stats().cache_bytes, options_.cache_bytes);
  EXPECT_EQ(ReadAll(1, 1, 3), "1@1 2@1") << "from disk";
  EXPECT_EQ(ReadAll(1, next - 2, next), fmt::format("{}@1 {}@1", next - 2, next - 1));
  EXPECT_GT(log_->Stats().cache_hits, 0u);
  EXPECT_GT(log_->Stats().cache_misses, 0u);
}

TEST_F(RaftLogTest, FolderInUseIsRefused) {
  EXPECT_EQ(RaftLog::Open(&fs_, options_, Random(1)).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(RaftLogTest, TornTailIsCutOff) {
  AppendEntries(1, 1, 2, 1);
  AppendEntries(1, 3, 4, 1);
  Damage(1, kFirstRecord + kSector + 40);  // The last record: as a crash may leave it.
  Reopen();
  EXPECT_EQ(ReadAll(1, 1, 3), "1@1 2@1");
  EXPECT_EQ(log_->LastIndex(1), 2u);
  AppendEntries(1, 3, 3, 2);
  Reopen();
  EXPECT_EQ(ReadAll(1, 1, 4), "1@1 2@1 3@2");
}

TEST_F(RaftLogTest, DamageBeforeADurableRecordIsRefused) {
  AppendEntries(1, 1, 2, 1);
  AppendEntries(1, 3, 4, 1);
  AppendEntries(1, 5, 5, 1);
  Damage(1, kFirstRecord + 40);
  const absl::Status s = TryOpen();
  EXPECT_EQ(s.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(Message(s).find("0000000000000001.raftlog is damaged at offset 512"),
            std::string_view::npos)
      << s;
}

TEST_F(RaftLogTest, AfterACleanCloseEvenTheLastRecordIsGuarded) {
  AppendEntries(1, 1, 2, 1);
  ASSERT_TRUE(log_->Close().ok());
  Damage(1, kFirstRecord + 40);
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(RaftLogTest, DamageInAnOldSegmentIsRefused) {
  AppendEntries(1, 1, 400, 1, 100);
  AppendEntries(1, 401, 402, 1);
  ASSERT_GT(log_->Stats().segments, 1u);
  Damage(2, kFirstRecord + 1000);
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(RaftLogTest, DamagedHeaderAndMissingFileAreRefused) {
  for (int i = 0; i < 4; ++i) AppendEntries(1, 1 + i * 100, 100 + i * 100, 1, 150);
  ASSERT_GT(log_->Stats().segments, 2u);
  Damage(2, 20);
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(fs_.Remove(JoinPath(options_.dir, SegmentName(2))).ok());
  const absl::Status s = TryOpen();
  EXPECT_EQ(s.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(Message(s).find("misses segment file 0000000000000002.raftlog"),
            std::string_view::npos);
}

TEST_F(RaftLogTest, DamageUnderARunningLogIsSeenByTheReader) {
  options_.cache_bytes = 0;
  Reopen();
  AppendEntries(1, 1, 1, 1, 100);
  auto file = *fs_.Open(JoinPath(options_.dir, SegmentName(1)), OpenOptions::Write());
  ASSERT_TRUE(file->WriteAt(kFirstRecord + 60, "garbage").ok());
  EXPECT_EQ(ReadAll(1, 1, 2), "DATA_LOSS");
}

TEST_F(RaftLogTest, ReadersRunBesideTheAppender) {
  options_.cache_bytes = 4 << 10;
  Reopen();
  AppendEntries(1, 1, 1, 1);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> read = 0;
  std::thread reader([&] {
    while (!stop || read == 0) {
      const uint64_t first = log_->FirstIndex(1), last = log_->LastIndex(1);
      // What was there a moment ago may be compacted by now; nothing else may go wrong.
      const absl::Status s = log_->Read(1, first, last + 1, UINT64_MAX,
                                        [&](uint64_t i, uint64_t t, std::string_view data) {
                                          EXPECT_EQ(data, Data(i, t, data.size()));
                                          ++read;
                                        });
      EXPECT_TRUE(s.ok() || absl::IsOutOfRange(s)) << s;
      log_->Stats();
    }
  });
  for (uint64_t next = 2; next < 1000; next += 10) {
    for (uint64_t i = next; i < next + 10; ++i) batch_.AppendEntry(1, i, 1, Data(i, 1, 100));
    batch_.CompactTo(1, next - 1, 1);
    Write(/*sync=*/false);
  }
  stop = true;
  reader.join();
}

TEST_F(RaftLogTest, GapIsABug) {
  AppendEntries(1, 1, 2, 1);
  batch_.AppendEntry(1, 4, 1, "x");
  EXPECT_DEATH(log_->Append(&batch_, true).IgnoreError(), "group 1 appends entry 4");
  batch_.Clear();
}

}  // namespace
}  // namespace tikv::raftlog
