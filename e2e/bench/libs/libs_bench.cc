// What the storage layers cost per operation, in CPU and in time.  See README.md.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>

#include "lib/base/check.h"
#include "lib/engine/rocks/rocks_engine.h"
#include "lib/env/posix/clock.h"
#include "lib/env/posix/file_system.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/env/random.h"
#include "lib/raftlog/raft_log.h"

namespace tikv {
namespace {

// A folder under TMPDIR, removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "libs-bench-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { CHECK_OK(RemoveAll(&fs_, path_)); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  PosixFileSystem* fs() { return &fs_; }

 private:
  PosixFileSystem fs_;
  std::string path_;
};

std::string Key(uint64_t i) { return fmt::format("zkey{:012}", i); }

// range(0): entries per batch, each of another group; range(1): bytes per entry; range(2): sync.
void RaftLogAppend(benchmark::State& state) {
  Folder folder;
  auto log = *raftlog::RaftLog::Open(folder.fs(), {.dir = folder.path()}, Random(1));
  const auto entries = static_cast<uint64_t>(state.range(0));
  const std::string data(static_cast<size_t>(state.range(1)), 'x');
  raftlog::LogBatch batch;
  uint64_t index = 0;
  for (auto _ : state) {
    ++index;
    for (uint64_t group = 1; group <= entries; ++group) {
      batch.AppendEntry(group, index, 1, data);
      batch.SetHardState(group, {.term = 1, .vote = 1, .commit = index});
      if (index % 128 == 0) batch.CompactTo(group, index - 64, 1);
    }
    CHECK_OK(log->Append(&batch, state.range(2) != 0));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(RaftLogAppend)
    ->ArgNames({"entries", "bytes", "sync"})
    ->Args({1, 1024, 1})
    ->Args({8, 1024, 1})
    ->Args({64, 1024, 1})
    ->Args({256, 1024, 1})
    ->Args({64, 100, 1})
    ->Args({64, 1024, 0})
    ->UseRealTime();

void RaftLogRead(benchmark::State& state) {
  Folder folder;
  auto log = *raftlog::RaftLog::Open(folder.fs(), {.dir = folder.path()}, Random(1));
  raftlog::LogBatch batch;
  for (uint64_t i = 1; i <= 1000; ++i) batch.AppendEntry(1, i, 1, std::string(1024, 'x'));
  CHECK_OK(log->Append(&batch, true));
  uint64_t bytes = 0;
  for (auto _ : state) {
    CHECK_OK(log->Read(1, 500, 564, UINT64_MAX,
                       [&](uint64_t, uint64_t, std::string_view data) { bytes += data.size(); }));
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(RaftLogRead);

std::unique_ptr<engine::KvEngine> OpenEngine(const Folder& folder) {
  engine::RocksOptions options;
  options.dir = folder.path() + "/db";
  auto engine = engine::OpenRocksEngine(options);
  CHECK_OK(engine);
  return *std::move(engine);
}

constexpr uint64_t kKeys = 100'000;

void Load(engine::KvEngine* db) {
  engine::WriteBatch batch;
  for (uint64_t i = 0; i < kKeys; ++i) {
    batch.Put(engine::Cf::kDefault, Key(i), std::string(1024, 'v'));
    if (batch.byte_size() > (1 << 20)) CHECK_OK(db->Write(&batch));
  }
  CHECK_OK(db->Write(&batch));
  CHECK_OK(db->Flush());
  CHECK_OK(db->CompactRange(engine::Cf::kDefault, "", ""));
}

// range(0): puts per batch.
void RocksPut(benchmark::State& state) {
  Folder folder;
  auto db = OpenEngine(folder);
  Random random(1);
  const std::string value(1024, 'v');
  engine::WriteBatch batch;
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) {
      batch.Put(engine::Cf::kDefault, Key(random.Uniform(kKeys)), value);
    }
    CHECK_OK(db->Write(&batch));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(RocksPut)->Arg(1)->Arg(64);

void RocksGet(benchmark::State& state) {
  Folder folder;
  auto db = OpenEngine(folder);
  Load(db.get());
  Random random(1);
  engine::PinnedValue value;
  const auto get = [&](uint64_t i) {
    CHECK(*db->Get(engine::Cf::kDefault, Key(i), &value, {.cache_only = state.range(0) != 0}));
  };
  for (uint64_t i = 0; i < kKeys; ++i) CHECK(*db->Get(engine::Cf::kDefault, Key(i), &value));
  for (auto _ : state) get(random.Uniform(kKeys));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(RocksGet)->ArgName("cache_only")->Arg(0)->Arg(1);

void RocksScan100(benchmark::State& state) {
  Folder folder;
  auto db = OpenEngine(folder);
  Load(db.get());
  Random random(1);
  uint64_t bytes = 0;
  for (auto _ : state) {
    auto it = db->NewIterator(engine::Cf::kDefault, {.upper = "{"});
    it->Seek(Key(random.Uniform(kKeys - 100)));
    for (int i = 0; i < 100; ++i, it->Next()) bytes += it->value().size();
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(RocksScan100);

// Posts from one thread to a strand that keeps up.
void StrandPost(benchmark::State& state) {
  PosixClock clock;
  ThreadExecutor strand({.name = "strand"}, &clock);
  std::atomic<int64_t> ran = 0;
  for (auto _ : state) strand.Post([&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
  while (ran != state.iterations()) {
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(StrandPost);

}  // namespace
}  // namespace tikv

BENCHMARK_MAIN();
