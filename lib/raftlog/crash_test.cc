// Stops the machine before every single operation on the file system, lets a crash tear what was
// not synced, and checks that the log comes back as it was after some batch: none that was
// acknowledged is missing, none is there by half.
#include <gtest/gtest.h>

#include "lib/base/status.h"
#include "lib/raftlog/raft_log.h"
#include "lib/raftlog/segment.h"
#include "lib/sim/file_system.h"

namespace tikv::raftlog {
namespace {

constexpr std::string_view kKeys[] = {"apply", "region"};

std::string Describe(const RaftLog& log) {
  std::string out;
  for (const GroupId id : log.Groups()) {
    const HardState hs = log.GetHardState(id);
    out += fmt::format("{}: {}/{}/{} after {}@{}", id, hs.term, hs.vote, hs.commit,
                       log.TruncatedIndex(id), *log.Term(id, log.TruncatedIndex(id)));
    for (const std::string_view key : kKeys)
      out += fmt::format(" {}", log.Get(id, key).value_or("-"));
    const absl::Status s = log.Read(id, log.FirstIndex(id), log.LastIndex(id) + 1, UINT64_MAX,
                                    [&](uint64_t index, uint64_t term, std::string_view data) {
                                      out += fmt::format(" {}@{}:{}", index, term, data);
                                    });
    out += s.ok() ? "\n" : s.ToString();
  }
  return out;
}

// A seeded stream of batches over a few groups: appends with overwrites, compactions, snapshots,
// removals, small records, enough to rotate and to move idle groups.
class Workload {
 public:
  explicit Workload(uint64_t seed) : random_(seed, "workload") {}

  void Fill(const RaftLog& log, LogBatch* batch) {
    ++round_;
    for (uint64_t n = random_.Between(1, 3); n > 0; --n) {
      // Group 1 is written once and then left alone.
      const GroupId id = round_ == 1 ? 1 : random_.Between(2, 4);
      if (touched_ != round_) used_.clear();
      touched_ = round_;
      if (used_.insert(id).second) FillGroup(log, id, batch);
    }
  }
  bool WantsSync() { return random_.Uniform(4) != 0; }

 private:
  void FillGroup(const RaftLog& log, GroupId id, LogBatch* batch) {
    const uint64_t truncated = log.TruncatedIndex(id), last = log.LastIndex(id);
    switch (random_.Uniform(id == 1 ? 1 : 12)) {
      case 1:
        return batch->RemoveGroup(id);
      case 2:
        return batch->CompactTo(id, last + random_.Between(1, 9), round_);  // A snapshot.
      case 3:
        return batch->Put(id, kKeys[0], fmt::format("v{}", round_));
      case 4:
        return batch->Delete(id, kKeys[0]);
      default:
        break;
    }
    // Mostly at the end, sometimes over what is there.
    uint64_t index = last + 1;
    if (last > truncated && random_.OneIn(4)) index = random_.Between(truncated + 1, last);
    for (uint64_t n = random_.Between(1, 4); n > 0; --n, ++index) {
      batch->AppendEntry(id, index, round_,
                         fmt::format("{}.{}", round_, std::string(random_.Uniform(150), 'x')));
    }
    batch->SetHardState(id, {.term = round_, .vote = id, .commit = truncated});
    batch->Put(id, kKeys[1], fmt::format("r{}", round_));
    if (last > truncated + 4) batch->CompactTo(id, last - 2, *log.Term(id, last - 2));
  }

  Random random_;
  uint64_t round_ = 0;
  uint64_t touched_ = 0;
  std::set<GroupId> used_;
};

constexpr int kRounds = 40;

absl::StatusOr<std::unique_ptr<RaftLog>> Open(sim::SimFileSystem* fs, uint64_t seed) {
  return RaftLog::Open(fs,
                       {.dir = "/log",
                        .segment_bytes = 4096,
                        .cache_bytes = 2048,
                        .max_segments = 3,
                        .spare_segments = 1},
                       Random(seed, "log"));
}

// What a run did: the log after each batch (the empty log first), how far it was acknowledged as
// durable, and how far batches were handed over.
struct History {
  std::vector<std::string> states = {""};
  size_t acknowledged = 0;
  size_t attempted = 0;
  LogStats stats;
};

// Runs the workload until an operation fails.  `describe` costs more than the rest of it.
History RunWorkload(sim::SimFileSystem* fs, uint64_t seed, bool describe) {
  History history;
  auto log = Open(fs, seed);
  if (!log.ok()) return history;
  Workload workload(seed);
  for (int i = 0; i < kRounds; ++i) {
    LogBatch batch;
    workload.Fill(**log, &batch);
    const bool sync = workload.WantsSync();
    ++history.attempted;
    const absl::Status s = (*log)->Append(&batch, sync);
    if (!s.ok()) {
      // Failed for good: what comes next must not look like success.
      if (absl::IsDataLoss(s)) {
        EXPECT_TRUE(absl::IsDataLoss((*log)->Sync()));
      }
      break;
    }
    if (sync) history.acknowledged = history.attempted;
    if (describe) history.states.push_back(Describe(**log));
  }
  history.stats = (*log)->Stats();
  return history;
}

// The state that the crash left, after checking that it is one of those it may leave.
void CheckRecovered(const RaftLog& log, const History& run, const History& reference) {
  const std::string state = Describe(log);
  for (size_t i = run.acknowledged; i <= run.attempted; ++i) {
    if (state == reference.states[i]) return;
  }
  ADD_FAILURE() << "came back as\n"
                << state << "but was acknowledged as\n"
                << reference.states[run.acknowledged];
}

// The log must go on from where it came back, and survive the next crash as well.
void CheckGoesOn(sim::SimFileSystem* fs, std::unique_ptr<RaftLog> log, uint64_t seed) {
  const auto append = [&log](uint64_t index, bool sync) {
    LogBatch batch;
    batch.AppendEntry(9, index, 1, std::string(index * 300, 'y'));
    const absl::Status s = log->Append(&batch, sync);
    EXPECT_TRUE(s.ok()) << s;
    return Describe(*log);
  };
  const std::string durable = append(1, /*sync=*/true);
  const std::string perhaps = append(2, /*sync=*/false);
  log.reset();
  fs->Crash();
  auto again = Open(fs, seed + 1);
  ASSERT_TRUE(again.ok()) << again.status();
  const std::string state = Describe(**again);
  EXPECT_TRUE(state == durable || state == perhaps) << state << "instead of\n" << durable;
}

TEST(CrashTest, WorkloadReachesWhatItShould) {
  sim::SimFileSystem fs{Random(1)};
  const History history = RunWorkload(&fs, 1, true);
  EXPECT_EQ(history.attempted, static_cast<size_t>(kRounds));
  EXPECT_GT(history.stats.rewritten_bytes, 0u) << "idle groups moved";
  EXPECT_GT(fs.operations(), 100u);
  EXPECT_FALSE(fs.Exists("/log/0000000000000001.raftlog")) << "segments were retired";
}

TEST(CrashTest, EveryOperationIsASafePlaceToStop) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    sim::SimFileSystem reference_fs(Random(seed, "fs"));
    const History reference = RunWorkload(&reference_fs, seed, true);
    for (uint64_t stop = 1; stop <= reference_fs.operations() + 1; ++stop) {
      for (uint64_t variant = 0; variant < 3; ++variant) {
        SCOPED_TRACE(fmt::format("seed {} stop {} variant {}", seed, stop, variant));
        sim::SimFileSystem fs(Random(seed * 1000 + variant, "fs"));
        fs.StopBefore(stop);
        const History run = RunWorkload(&fs, seed, false);
        fs.Crash();
        auto log = Open(&fs, seed + 100);
        ASSERT_TRUE(log.ok()) << log.status();
        CheckRecovered(**log, run, reference);
        CheckGoesOn(&fs, *std::move(log), seed + 200);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

// The batch that begins a segment makes the one before it dead, and nobody asked for a sync.
TEST(CrashTest, UnsyncedCompactionCannotTakeDurableEntries) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    sim::SimFileSystem fs(Random(seed, "fs"));
    auto log = *Open(&fs, seed);
    LogBatch batch;
    batch.AppendEntry(1, 1, 1, std::string(3000, 'x'));
    ASSERT_TRUE(log->Append(&batch, true).ok());
    const std::string durable = Describe(*log);
    batch.AppendEntry(1, 2, 1, std::string(3000, 'y'));
    batch.CompactTo(1, 1, 1);
    ASSERT_TRUE(log->Append(&batch, false).ok());
    const std::string perhaps = Describe(*log);
    log.reset();
    fs.Crash();
    auto again = Open(&fs, seed + 1);
    ASSERT_TRUE(again.ok()) << again.status();
    const std::string state = Describe(**again);
    EXPECT_TRUE(state == durable || state == perhaps) << state;
  }
}

// A crash during recovery, and another during the next one.
TEST(CrashTest, RecoveryIsASafePlaceToStop) {
  const uint64_t seed = 3;
  sim::SimFileSystem reference_fs(Random(seed, "fs"));
  const History reference = RunWorkload(&reference_fs, seed, true);
  for (uint64_t stop = 20; stop <= reference_fs.operations(); stop += 3) {
    for (uint64_t later = 1; later <= 8; ++later) {
      SCOPED_TRACE(fmt::format("stop {} later {}", stop, later));
      sim::SimFileSystem fs(Random(stop, "fs"));
      fs.StopBefore(stop);
      const History run = RunWorkload(&fs, seed, false);
      fs.Crash();
      for (uint64_t again = 0; again < 2; ++again) {
        fs.StopBefore(fs.operations() + later + again);
        Open(&fs, seed + 100 + again).status().IgnoreError();
        fs.Crash();
      }
      auto log = Open(&fs, seed + 200);
      ASSERT_TRUE(log.ok()) << log.status();
      CheckRecovered(**log, run, reference);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

// A failing disk: nothing after the failure is acknowledged; and when the process starts again
// without a crash of the machine, what it then has is really on the disk.
TEST(CrashTest, FailedOperationsLoseNothingAcknowledged) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    sim::SimFileSystem reference_fs(Random(seed, "fs"));
    const History reference = RunWorkload(&reference_fs, seed, true);
    for (uint64_t n = 1; n <= reference_fs.operations(); ++n) {
      SCOPED_TRACE(fmt::format("seed {} operation {}", seed, n));
      sim::SimFileSystem fs(Random(seed * 1000 + n, "fs"));
      fs.FailOperation(n);
      const History run = RunWorkload(&fs, seed, false);
      std::string restarted;
      {
        auto log = Open(&fs, seed + 100);
        ASSERT_TRUE(log.ok()) << log.status();
        CheckRecovered(**log, run, reference);
        restarted = Describe(**log);
      }
      fs.Crash();
      auto log = Open(&fs, seed + 200);
      ASSERT_TRUE(log.ok()) << log.status();
      EXPECT_EQ(Describe(**log), restarted);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(CrashTest, FullDiskChangesNothingAndMayBeTriedAgain) {
  sim::SimFileSystem fs{Random(1)};
  auto log = *Open(&fs, 1);
  fs.SetCapacity(4096 + 100);
  LogBatch batch;
  uint64_t index = 0;
  absl::Status s;
  while (s.ok()) {
    const std::string before = Describe(*log);
    batch.AppendEntry(1, ++index, 1, std::string(300, 'x'));
    s = log->Append(&batch, true);
    if (!s.ok()) {
      EXPECT_EQ(Describe(*log), before);
    }
  }
  EXPECT_EQ(s.code(), absl::StatusCode::kResourceExhausted) << s;
  fs.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(log->Append(&batch, true).ok()) << "the batch is still there";
  EXPECT_EQ(log->LastIndex(1), index);
}

// Bits that rot in what was durable are refused or at least never shown as data.
TEST(CrashTest, RotIsNeverShown) {
  sim::SimFileSystem reference_fs{Random(1)};
  const History reference = RunWorkload(&reference_fs, 1, true);
  const std::set<std::string> known(reference.states.begin(), reference.states.end());
  Random random(4);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    sim::SimFileSystem fs{Random(1)};
    RunWorkload(&fs, 1, false);
    std::vector<std::string> segments;
    const auto names = *fs.List("/log");
    for (const std::string& name : names) {
      if (ParseSegmentName(name)) segments.push_back("/log/" + name);
    }
    const std::string& path = segments[random.Uniform(segments.size())];
    fs.Rot(path, random.Uniform(*fs.FileSize(path)));
    auto log = Open(&fs, 2);
    if (!log.ok()) {
      EXPECT_EQ(log.status().code(), absl::StatusCode::kDataLoss) << log.status();
      ++refused;
    } else {
      EXPECT_TRUE(known.count(Describe(**log)) > 0) << Describe(**log);
    }
  }
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace tikv::raftlog
