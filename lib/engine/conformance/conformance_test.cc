// One suite for every body of KvEngine: what it asserts is the contract that engine.h states.
#include <gtest/gtest.h>

#include "lib/base/status.h"
#include "lib/engine/conformance/bodies.h"

namespace tikv::engine {
namespace {

using Keys = std::vector<std::string>;

class EngineTest : public ::testing::TestWithParam<std::string> {
 protected:
  EngineTest() : body_(GetParam()), db_(body_.engine()) {}

  void Commit() {
    const absl::Status s = db_->Write(&batch_);
    ASSERT_TRUE(s.ok()) << s;
  }
  void Put(std::string_view key, std::string_view value, Cf cf = Cf::kDefault) {
    batch_.Put(cf, key, value);
    Commit();
  }
  void Delete(std::string_view key) {
    batch_.Delete(Cf::kDefault, key);
    Commit();
  }
  std::string Get(std::string_view key, Cf cf = Cf::kDefault) const { return Get(*db_, key, cf); }
  static std::string Get(const Reader& reader, std::string_view key, Cf cf = Cf::kDefault) {
    std::string value;
    const auto found = reader.Get(cf, key, &value);
    if (!found.ok()) return found.status().ToString();
    return *found ? value : "(none)";
  }
  void PutLetters() {
    for (const char* key : {"a", "b", "c", "d", "e"}) batch_.Put(Cf::kDefault, key, key);
    Commit();
  }
  // Writes and closes a file; values null delete.
  std::string MakeSst(const std::string& name,
                      std::vector<std::pair<std::string, const char*>> entries) {
    const std::string path = body_.FilePath(name);
    auto writer = *db_->NewSstWriter(Cf::kDefault, path);
    for (const auto& [key, value] : entries) {
      const absl::Status s = value == nullptr ? writer->Delete(key) : writer->Put(key, value);
      EXPECT_TRUE(s.ok()) << s;
    }
    EXPECT_EQ(writer->entries(), entries.size());
    EXPECT_TRUE(writer->Finish().ok());
    return path;
  }

  Body body_;
  KvEngine* const db_;
  WriteBatch batch_;
};

TEST_P(EngineTest, PutGetDelete) {
  EXPECT_EQ(Get("k"), "(none)");
  Put("k", "v1");
  EXPECT_EQ(Get("k"), "v1");
  Put("k", "v2");
  EXPECT_EQ(Get("k"), "v2");
  Delete("k");
  EXPECT_EQ(Get("k"), "(none)");
  Delete("k");
}

TEST_P(EngineTest, KeysAndValuesAreAnyBytes) {
  const std::string key("\0\xff\0", 3), value("\xff\0", 2);
  Put(key, value);
  Put("empty", "");
  Put("", "of the empty key");
  EXPECT_EQ(Get(key), value);
  EXPECT_EQ(Get("empty"), "");
  EXPECT_EQ(Get(""), "of the empty key");
  EXPECT_EQ(Get(std::string_view("\0", 1)), "(none)");
  Put("\x80", "high");
  Put("\x7f", "low");
  auto it = db_->NewIterator(Cf::kDefault, {.lower = "f"});
  it->SeekToFirst();
  EXPECT_EQ(it->value(), "low") << "keys compare as unsigned bytes";
}

TEST_P(EngineTest, FamiliesAreApart) {
  for (Cf cf : kAllCfs) Put("k", CfName(cf), cf);
  for (Cf cf : kAllCfs) EXPECT_EQ(Get("k", cf), CfName(cf));
  batch_.Delete(Cf::kWrite, "k");
  Commit();
  EXPECT_EQ(Get("k", Cf::kWrite), "(none)");
  EXPECT_EQ(Get("k", Cf::kLock), "lock");
}

TEST_P(EngineTest, BatchAppliesInOrderAndIsEmptyAfterwards) {
  batch_.Put(Cf::kDefault, "k", "1");
  batch_.Delete(Cf::kDefault, "k");
  batch_.Put(Cf::kDefault, "k", "2");
  batch_.Put(Cf::kWrite, "w", "3");
  EXPECT_EQ(batch_.count(), 4u);
  Commit();
  EXPECT_TRUE(batch_.empty());
  EXPECT_EQ(batch_.count(), 0u);
  EXPECT_EQ(Get("k"), "2");
  EXPECT_EQ(Get("w", Cf::kWrite), "3");
  Put("again", "reused");
  EXPECT_EQ(Get("again"), "reused");
}

TEST_P(EngineTest, BatchRollsBackAndAppends) {
  batch_.Put(Cf::kDefault, "a", "1");
  const auto mark = batch_.Here();
  batch_.Put(Cf::kLock, "b", "2");
  batch_.RollBackTo(mark);
  WriteBatch more;
  more.Put(Cf::kRaft, "c", "3");
  batch_.Append(more);
  EXPECT_EQ(batch_.count(), 2u);
  Commit();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b", Cf::kLock), "(none)");
  EXPECT_EQ(Get("c", Cf::kRaft), "3");
}

TEST_P(EngineTest, EmptyBatchIsFine) {
  Commit();
  ASSERT_TRUE(db_->Write(&batch_, {.sync = true}).ok());
  EXPECT_TRUE(db_->Sync().ok());
}

TEST_P(EngineTest, LargeBatchAndValue) {
  const std::string large(3 << 20, 'x');
  for (int i = 0; i < 10'000; ++i) batch_.Put(Cf::kWrite, fmt::format("{:05}", i), "v");
  batch_.Put(Cf::kDefault, "large", large);
  Commit();
  EXPECT_EQ(Get("large"), large);
  EXPECT_EQ(Get("09999", Cf::kWrite), "v");
}

TEST_P(EngineTest, PinnedValueOutlivesLaterChanges) {
  Put("k", "old");
  PinnedValue pinned, again;
  ASSERT_TRUE(*db_->Get(Cf::kDefault, "k", &pinned));
  Put("k", "new");
  Delete("k");
  ASSERT_TRUE(db_->Flush().ok());
  EXPECT_EQ(pinned.view(), "old");
  EXPECT_FALSE(*db_->Get(Cf::kDefault, "k", &pinned));
  EXPECT_EQ(pinned.view(), "");
  Put("k", "third");
  EXPECT_TRUE(*db_->Get(Cf::kDefault, "k", &pinned, {.cache_only = true}));
  EXPECT_EQ(pinned.view(), "third");
}

TEST_P(EngineTest, SnapshotStandsStill) {
  PutLetters();
  auto snapshot = db_->GetSnapshot();
  Put("a", "changed");
  Put("bb", "new");
  Delete("c");
  batch_.DeleteRange(Cf::kDefault, "d", "z");
  Commit();
  auto later = db_->GetSnapshot();
  ASSERT_TRUE(db_->CompactRange(Cf::kDefault, "", "").ok());
  EXPECT_EQ(Contents(*snapshot, Cf::kDefault), "a=a b=b c=c d=d e=e");
  EXPECT_EQ(Get(*snapshot, "c"), "c");
  EXPECT_EQ(Get(*snapshot, "bb"), "(none)");
  EXPECT_EQ(Contents(*later, Cf::kDefault), "a=changed b=b bb=new");
  auto it = snapshot->NewIterator(Cf::kDefault, {});
  snapshot.reset();
  later.reset();
  Put("e", "5");
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "a=changed b=b bb=new e=5");
}

TEST_P(EngineTest, IteratorStandsStill) {
  PutLetters();
  auto it = db_->NewIterator(Cf::kDefault, {});
  it->Seek("b");
  Put("bb", "new");
  Delete("c");
  it->Next();
  EXPECT_EQ(it->key(), "c");
  it->SeekToLast();
  EXPECT_EQ(it->key(), "e");
}

TEST_P(EngineTest, IteratorMovesBothWays) {
  PutLetters();
  auto it = db_->NewIterator(Cf::kDefault, {});
  EXPECT_FALSE(it->Valid());
  it->Seek("bb");
  EXPECT_EQ(it->key(), "c");
  it->Prev();
  EXPECT_EQ(it->key(), "b");
  it->Next();
  it->Next();
  EXPECT_EQ(it->key(), "d");
  it->SeekForPrev("bb");
  EXPECT_EQ(it->key(), "b");
  it->SeekForPrev("b");
  EXPECT_EQ(it->key(), "b");
  it->Seek("f");
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("A");
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("zzz");
  EXPECT_EQ(it->key(), "e");
  EXPECT_TRUE(it->status().ok());
}

TEST_P(EngineTest, IteratorKeepsToItsBounds) {
  PutLetters();
  const IteratorOptions options{.lower = "b", .upper = "d"};
  EXPECT_EQ(Contents(*db_, Cf::kDefault, options), "b=b c=c");
  EXPECT_EQ(ContentsReversed(*db_, Cf::kDefault, options), "c=c b=b");
  EXPECT_EQ(ContentsReversed(*db_, Cf::kDefault, {.lower = "d"}), "e=e d=d");
  EXPECT_EQ(Contents(*db_, Cf::kDefault, {.upper = "a"}), "");
  auto it = db_->NewIterator(Cf::kDefault, options);
  it->Seek("a");
  EXPECT_EQ(it->key(), "b") << "a target below the range seeks to its start";
  it->SeekForPrev("z");
  EXPECT_EQ(it->key(), "c") << "a target above the range seeks to its end";
  it->Next();
  EXPECT_FALSE(it->Valid());
  it->SeekForPrev("a");
  EXPECT_FALSE(it->Valid());
  it->Seek("d");
  EXPECT_FALSE(it->Valid());
}

TEST_P(EngineTest, DeleteRangeTakesWhatWasBefore) {
  PutLetters();
  batch_.Put(Cf::kDefault, "bb", "inside the batch, before");
  batch_.DeleteRange(Cf::kDefault, "b", "d");
  batch_.Put(Cf::kDefault, "c", "after");
  batch_.DeleteRange(Cf::kDefault, "x", "x");
  Commit();
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "a=a c=after d=d e=e");
  EXPECT_EQ(ContentsReversed(*db_, Cf::kDefault), "e=e d=d c=after a=a");
  ASSERT_TRUE(db_->Flush().ok());
  ASSERT_TRUE(db_->CompactRange(Cf::kDefault, "", "").ok());
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "a=a c=after d=d e=e");
}

TEST_P(EngineTest, DeleteFilesInRangeEmptiesIt) {
  PutLetters();
  ASSERT_TRUE(db_->Flush().ok());
  ASSERT_TRUE(db_->DeleteFilesInRange(Cf::kDefault, "b", "d").ok());
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "a=a d=d e=e");
  ASSERT_TRUE(db_->DeleteFilesInRange(Cf::kDefault, "d", "").ok());
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "a=a");
  ASSERT_TRUE(db_->DeleteFilesInRange(Cf::kDefault, "", "").ok());
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "");
  ASSERT_TRUE(db_->DeleteFilesInRange(Cf::kLock, "", "").ok());
}

TEST_P(EngineTest, IngestShadowsWhatWasBefore) {
  PutLetters();
  auto snapshot = db_->GetSnapshot();
  const std::string one = MakeSst("1.sst", {{"a", "A"}, {"b", nullptr}, {"bb", "BB"}});
  const std::string two = MakeSst("2.sst", {{"x", "X"}});
  const absl::Status s = db_->IngestSst(Cf::kDefault, {one, two});
  ASSERT_TRUE(s.ok()) << s;
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "a=A bb=BB c=c d=d e=e x=X");
  EXPECT_EQ(Contents(*snapshot, Cf::kDefault), "a=a b=b c=c d=d e=e");
  EXPECT_FALSE(body_.fs()->Exists(one)) << "ingested files move";
  EXPECT_FALSE(body_.fs()->Exists(two));
  Put("a", "later");
  EXPECT_EQ(Get("a"), "later");
  EXPECT_TRUE(db_->IngestSst(Cf::kDefault, {}).ok());
}

TEST_P(EngineTest, IngestRefusesWhatIsNoSst) {
  const std::string path = body_.FilePath("garbage.sst");
  ASSERT_TRUE(WriteFileAtomic(body_.fs(), path, std::string(100, 'g')).ok());
  EXPECT_EQ(db_->IngestSst(Cf::kDefault, {path}).code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(db_->IngestSst(Cf::kDefault, {body_.FilePath("missing.sst")}).ok());
  Put("k", "v");
  EXPECT_EQ(Get("k"), "v");
}

TEST_P(EngineTest, SstWriterWantsAscendingKeysAndAtLeastOne) {
  auto writer = *db_->NewSstWriter(Cf::kDefault, body_.FilePath("f.sst"));
  EXPECT_EQ(writer->Finish().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(writer->Put("b", "1").ok());
  EXPECT_EQ(writer->Put("b", "2").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer->Delete("a").code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(writer->Put("c", std::string(100'000, 'v')).ok());
  EXPECT_EQ(writer->entries(), 2u);
  EXPECT_TRUE(writer->Finish().ok());
}

TEST_P(EngineTest, EstimatesSizesOfRanges) {
  const std::string value(1000, 'v');
  for (int i = 0; i < 2000; ++i) batch_.Put(Cf::kWrite, fmt::format("{:04}", i), value);
  Commit();
  const RangeEstimate in_memory = *db_->Estimate(Cf::kWrite, "", "");
  EXPECT_GT(in_memory.bytes, 200'000u);
  EXPECT_LT(in_memory.bytes, 20'000'000u);
  ASSERT_TRUE(db_->Flush().ok());
  const RangeEstimate all = *db_->Estimate(Cf::kWrite, "", "");
  EXPECT_NEAR(static_cast<double>(all.bytes), 2'008'000, 200'000);
  EXPECT_NEAR(static_cast<double>(all.keys), 2000, 200);
  const RangeEstimate half = *db_->Estimate(Cf::kWrite, "1000", "2");
  EXPECT_NEAR(static_cast<double>(half.bytes), 1'004'000, 200'000);
  EXPECT_EQ(db_->Estimate(Cf::kWrite, "b", "a")->keys, 0u);
  EXPECT_EQ(db_->Estimate(Cf::kLock, "", "")->bytes, 0u);
}

TEST_P(EngineTest, SplitKeysCutBySize) {
  const std::string value(96, 'v');
  for (int i = 0; i < 1000; ++i) batch_.Put(Cf::kDefault, fmt::format("{:04}", i), value);
  Commit();
  EXPECT_EQ(*SplitKeys(*db_, Cf::kDefault, "", "", 40'000, 10), (Keys{"0400", "0800"}));
  EXPECT_EQ(*SplitKeys(*db_, Cf::kDefault, "0100", "0400", 10'000, 1), (Keys{"0200"}));
  EXPECT_EQ(*SplitKeys(*db_, Cf::kDefault, "", "", 200'000, 10), Keys{});
  EXPECT_EQ(*SplitKeys(*db_, Cf::kLock, "", "", 1, 10), Keys{});
}

// Drops what begins with 'x'.
class DropX final : public CompactionFilterFactory {
 public:
  std::unique_ptr<CompactionFilter> NewFilter() override { return std::make_unique<Filter>(); }

 private:
  class Filter final : public CompactionFilter {
    bool ShouldDrop(std::string_view, std::string_view value) override {
      return value.substr(0, 1) == "x";
    }
  };
};

TEST_P(EngineTest, CompactionDropsWhatTheFilterSays) {
  batch_.Put(Cf::kDefault, "a", "x1");
  batch_.Put(Cf::kDefault, "b", "y");
  batch_.Put(Cf::kWrite, "w", "x2");
  Commit();
  ASSERT_TRUE(db_->CompactRange(Cf::kDefault, "", "").ok());
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "a=x1 b=y") << "no filter is set yet";
  db_->SetCompactionFilter(Cf::kDefault, std::make_shared<DropX>());
  Put("c", "x3");
  ASSERT_TRUE(db_->CompactRange(Cf::kDefault, "", "").ok());
  ASSERT_TRUE(db_->CompactRange(Cf::kWrite, "", "").ok());
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "b=y");
  EXPECT_EQ(Contents(*db_, Cf::kWrite), "w=x2");
  db_->SetCompactionFilter(Cf::kDefault, nullptr);
  Put("d", "x4");
  ASSERT_TRUE(db_->CompactRange(Cf::kDefault, "", "").ok());
  EXPECT_EQ(Contents(*db_, Cf::kDefault), "b=y d=x4");
}

TEST_P(EngineTest, IsHealthyAndCloses) {
  Put("k", "v");
  EXPECT_TRUE(db_->background_error().ok());
  db_->Stats();
  EXPECT_TRUE(db_->Close().ok());
}

INSTANTIATE_TEST_SUITE_P(Bodies, EngineTest, ::testing::Values("mem", "rocks"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tikv::engine
