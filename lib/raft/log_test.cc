#include "lib/raft/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/raft/memory_storage.h"

namespace tikv::raft {
namespace {

using ::testing::ElementsAre;

std::vector<eraftpb::Entry> Entries(uint64_t first, std::vector<uint64_t> terms,
                                    const std::string& data = {}) {
  std::vector<eraftpb::Entry> entries(terms.size());
  for (size_t i = 0; i < terms.size(); ++i) {
    entries[i].set_index(first + i);
    entries[i].set_term(terms[i]);
    entries[i].set_data(data);
  }
  return entries;
}

std::vector<uint64_t> Indexes(const std::vector<eraftpb::Entry>& entries) {
  std::vector<uint64_t> out;
  for (const eraftpb::Entry& entry : entries) out.push_back(entry.index());
  return out;
}

class LogTest : public ::testing::Test {
 protected:
  // Storage holds 1/1 1/2 2/3.
  LogTest() { storage_.Append(Entries(1, {1, 1, 2})); }
  Log Open() { return Log::Open(config_, &storage_).value(); }

  // As a shell that writes at once.
  void Write(Log* log) {
    std::vector<eraftpb::Entry> entries;
    log->unstable().NewEntries(&entries);
    log->unstable().Accept();
    storage_.Append(entries);
    log->unstable().StableTo(log->last().index, log->last().term);
  }

  Config config_;
  MemoryStorage storage_;
};

TEST_F(LogTest, ReadsAcrossStorageAndUnstable) {
  Log log = Open();
  log.Append(Entries(4, {3, 3}));
  EXPECT_EQ(log.last_index(), 5u);
  EXPECT_EQ(log.Term(2).value(), 1u);
  EXPECT_EQ(log.Term(5).value(), 3u);
  EXPECT_TRUE(absl::IsNotFound(log.Term(6).status()));
  std::vector<eraftpb::Entry> out;
  ASSERT_TRUE(log.Entries(2, 6, 1 << 20, &out).ok());
  EXPECT_THAT(Indexes(out), ElementsAre(2, 3, 4, 5));
  out.clear();
  ASSERT_TRUE(log.Entries(2, 6, 1, &out).ok());
  EXPECT_THAT(Indexes(out), ElementsAre(2)) << "at least one";
  out.clear();
  ASSERT_TRUE(log.Entries(2, 6, 3 * EntryBytes(Entries(1, {1})[0]), &out).ok());
  EXPECT_THAT(Indexes(out), ElementsAre(2, 3, 4)) << "the limit counts over both parts";
}

TEST_F(LogTest, KnowsWhatIsCompacted) {
  storage_.Compact(2, {}, {});
  Log log = Open();
  EXPECT_EQ(log.first_index(), 3u);
  EXPECT_EQ(log.Term(2).value(), 1u) << "the term before the first is remembered";
  EXPECT_TRUE(absl::IsOutOfRange(log.Term(1).status()));
  std::vector<eraftpb::Entry> out;
  EXPECT_TRUE(absl::IsOutOfRange(log.Entries(2, 4, 100, &out)));
}

TEST_F(LogTest, ReplacesWhatConflicts) {
  Log log = Open();
  log.Append(Entries(4, {2, 2}));
  google::protobuf::RepeatedPtrField<eraftpb::Entry> theirs;
  for (const eraftpb::Entry& entry : Entries(3, {2, 2, 3, 3})) *theirs.Add() = entry;
  EXPECT_EQ(log.FindConflict(theirs), 5u);
  log.Append(Entries(5, {3, 3}));
  EXPECT_EQ(log.last_index(), 6u);
  EXPECT_EQ(log.Term(4).value(), 2u);
  EXPECT_EQ(log.Term(5).value(), 3u);
  log.Append(Entries(2, {4}));
  EXPECT_EQ(log.last_index(), 2u);
  EXPECT_EQ(log.last().term, 4u);
  EXPECT_TRUE(absl::IsNotFound(log.Term(3).status())) << "what storage holds after it is void";
}

TEST_F(LogTest, VotesOnlyForLogsThatHoldAsMuch) {
  Log log = Open();
  EXPECT_TRUE(log.IsUpToDate({3, 2}));
  EXPECT_TRUE(log.IsUpToDate({1, 3}));
  EXPECT_FALSE(log.IsUpToDate({2, 2}));
  EXPECT_FALSE(log.IsUpToDate({9, 1}));
}

TEST_F(LogTest, FindsWhereLogsCanAgree) {
  Log log = Open();
  log.Append(Entries(4, {4, 4, 6}));
  const auto at = [&](uint64_t index, uint64_t term) { return log.FindAtMost(index, term).index; };
  EXPECT_EQ(at(6, 9), 6u);
  EXPECT_EQ(at(6, 5), 5u);
  EXPECT_EQ(at(5, 3), 3u);
  EXPECT_EQ(at(5, 1), 2u);
  EXPECT_EQ(at(5, 0), 0u);
}

TEST_F(LogTest, HandsOutCommittedEntriesInBoundedBatches) {
  config_.max_committed_size_per_ready = 2 * EntryBytes(Entries(1, {1})[0]);
  Log log = Open();
  log.CommitTo(3);
  std::vector<eraftpb::Entry> batch = log.CommittedToApply();
  EXPECT_THAT(Indexes(batch), ElementsAre(1, 2));
  log.AcceptApplying(batch);
  EXPECT_FALSE(log.HasCommittedToApply()) << "until some of it is applied";
  log.AppliedTo(2);
  EXPECT_THAT(Indexes(log.CommittedToApply()), ElementsAre(3));
}

TEST_F(LogTest, HandsOutOnlyWhatIsAcknowledged) {
  for (bool async : {true, false}) {
    config_.async_storage = async;
    Log log = Open();
    log.Append(Entries(4, {2}));
    log.CommitTo(4);
    EXPECT_EQ(log.CommittedToApply().size(), async ? 3u : 4u);
  }
}

TEST_F(LogTest, AcknowledgesOnlyTheSameEntries) {
  Log log = Open();
  log.Append(Entries(4, {2, 2}));
  log.unstable().Accept();
  storage_.Append(Entries(4, {2, 2}));
  log.Append(Entries(5, {3}));
  log.unstable().StableTo(5, 2);
  EXPECT_EQ(log.unstable().entries().size(), 2u) << "5 was replaced";
  log.unstable().StableTo(4, 2);
  EXPECT_EQ(log.unstable().entries().size(), 1u);
  EXPECT_TRUE(log.unstable().HasNewEntries());
  Write(&log);
  EXPECT_FALSE(log.unstable().HasNewEntries());
  EXPECT_EQ(storage_.Term(5).value(), 3u);
}

TEST_F(LogTest, ASnapshotReplacesEverything) {
  Log log = Open();
  log.Append(Entries(4, {2}));
  eraftpb::Snapshot snapshot;
  snapshot.mutable_metadata()->set_index(10);
  snapshot.mutable_metadata()->set_term(5);
  log.Restore(snapshot);
  EXPECT_EQ(log.first_index(), 11u);
  EXPECT_EQ(log.last_index(), 10u);
  EXPECT_EQ(log.committed(), 10u);
  EXPECT_EQ(log.Term(10).value(), 5u);
  EXPECT_FALSE(log.HasCommittedToApply());
  log.unstable().Accept();
  storage_.ApplySnapshot(snapshot);
  log.unstable().SnapshotStable(10);
  log.AppliedTo(10);
  log.Append(Entries(11, {5}));
  EXPECT_EQ(log.last_index(), 11u);
}

// A disk that fails to read for a while.
class FailingStorage : public MemoryStorage {
 public:
  absl::Status Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                       std::vector<eraftpb::Entry>* out) override {
    if (failing) return absl::DataLossError("bad sector");
    return MemoryStorage::Entries(low, high, max_bytes, out);
  }
  bool failing = true;
};

TEST(Log, OffersNothingAgainAfterAFailedReadUntilTold) {
  FailingStorage storage;
  storage.Append(Entries(1, {1, 1}));
  Log log = Log::Open(Config(), &storage).value();
  log.CommitTo(2);
  EXPECT_TRUE(log.HasCommittedToApply());
  EXPECT_TRUE(log.CommittedToApply().empty());
  EXPECT_FALSE(log.HasCommittedToApply()) << "a shell that loops while there is work must end";
  storage.failing = false;
  log.RetryReading();
  EXPECT_EQ(log.CommittedToApply().size(), 2u);
}

}  // namespace
}  // namespace tikv::raft
