// Drives RocksDB and the in-memory engine with one random stream of operations and compares what
// they read.  TIKV_DIFFERENTIAL_OPS and TIKV_SEED make it longer and other.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "lib/engine/conformance/bodies.h"
#include "lib/env/random.h"

namespace tikv::engine {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  return text == nullptr ? otherwise : strtoull(text, nullptr, 10);
}

class Differential {
 public:
  explicit Differential(uint64_t seed) : random_(seed, "differential") {}

  void Run(uint64_t ops) {
    for (uint64_t i = 0; i < ops && !::testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE(fmt::format("operation {}", i));
      Step();
    }
  }

 private:
  void Step() {
    switch (random_.Uniform(32)) {
      case 0:
        return TakeSnapshots();
      case 1:
        return DropSnapshots();
      case 2:
        return ingest_turn_++ % 8 == 0 ? Ingest() : Write();
      case 3:
        return maintain_turn_++ % 16 == 0 ? Maintain() : Write();
      case 4:
      case 5:
      case 6:
      case 7:
        return CompareScan();
      case 8:
      case 9:
        return CompareWalk();
      default:
        return random_.OneIn(2) ? Write() : CompareGet();
    }
  }

  // Few keys, so that operations meet; some share prefixes, some hold zeros.
  std::string Key() {
    std::string key;
    for (uint64_t n = random_.Uniform(4); n > 0; --n) {
      key += std::string_view("\0ab\xff", 4)[random_.Uniform(4)];
    }
    return key;
  }
  std::string Value() {
    return std::string(random_.Uniform(30), static_cast<char>('a' + random_.Uniform(26)));
  }
  Cf Family() { return kAllCfs[random_.Uniform(kCfCount)]; }

  void Write() {
    WriteBatch a;
    for (uint64_t n = random_.Between(1, 8); n > 0; --n) {
      const Cf cf = Family();
      const std::string key = Key();
      switch (random_.Uniform(8)) {
        case 0:
          a.DeleteRange(cf, key, Key() + '\xff');
          break;
        case 1:
        case 2:
          a.Delete(cf, key);
          break;
        default:
          a.Put(cf, key, Value());
      }
    }
    WriteBatch b;
    b.Append(a);
    ASSERT_TRUE(rocks_.engine()->Write(&a).ok());
    ASSERT_TRUE(mem_.engine()->Write(&b).ok());
  }

  void Ingest() {
    const Cf cf = Family();
    std::map<std::string, std::string> entries;
    for (uint64_t n = random_.Between(1, 10); n > 0; --n) entries[Key()] = Value();
    for (Body* body : {&rocks_, &mem_}) {
      const std::string path = body->FilePath("in.sst");
      auto writer = *body->engine()->NewSstWriter(cf, path);
      for (const auto& [key, value] : entries) {
        const bool remove = value.size() % 5 == 0;
        ASSERT_TRUE((remove ? writer->Delete(key) : writer->Put(key, value)).ok());
      }
      ASSERT_TRUE(writer->Finish().ok());
      const absl::Status s = body->engine()->IngestSst(cf, {path});
      ASSERT_TRUE(s.ok()) << s;
    }
  }

  void Maintain() {
    const Cf cf = Family();
    const std::string begin = Key(), end = random_.OneIn(2) ? "" : Key();
    const uint64_t what = random_.Uniform(3);
    for (Body* body : {&rocks_, &mem_}) {
      KvEngine* db = body->engine();
      absl::Status s;
      if (what == 0) s = db->Flush();
      if (what == 1) s = db->CompactRange(cf, "", "");
      // Files may go under a snapshot's feet: only where nobody looks.
      if (what == 2 && snapshots_.empty()) s = db->DeleteFilesInRange(cf, begin, end);
      ASSERT_TRUE(s.ok()) << s;
    }
  }

  void TakeSnapshots() {
    if (snapshots_.size() > 3) return;
    snapshots_.emplace_back(rocks_.engine()->GetSnapshot(), mem_.engine()->GetSnapshot());
  }
  void DropSnapshots() {
    if (snapshots_.empty()) return;
    snapshots_.erase(snapshots_.begin() +
                     static_cast<ptrdiff_t>(random_.Uniform(snapshots_.size())));
  }

  std::pair<const Reader*, const Reader*> Readers() {
    const uint64_t pick = random_.Uniform(snapshots_.size() + 1);
    if (pick == snapshots_.size()) return {rocks_.engine(), mem_.engine()};
    return {snapshots_[pick].first.get(), snapshots_[pick].second.get()};
  }

  void CompareGet() {
    const auto [rocks, mem] = Readers();
    const Cf cf = Family();
    const std::string key = Key();
    std::string a, b;
    const bool found_a = *rocks->Get(cf, key, &a), found_b = *mem->Get(cf, key, &b);
    EXPECT_EQ(found_a, found_b);
    EXPECT_EQ(a, b);
  }

  IteratorOptions Bounds() {
    IteratorOptions options;
    if (random_.OneIn(2)) options.lower = Key();
    if (random_.OneIn(2)) options.upper = Key() + '\xff';
    if (!options.upper.empty() && options.lower > options.upper) options.lower.clear();
    return options;
  }

  void CompareScan() {
    const auto [rocks, mem] = Readers();
    const Cf cf = Family();
    const IteratorOptions options = Bounds();
    EXPECT_EQ(Contents(*rocks, cf, options), Contents(*mem, cf, options));
    EXPECT_EQ(ContentsReversed(*rocks, cf, options), ContentsReversed(*mem, cf, options));
  }

  // Random moves of two iterators side by side.
  void CompareWalk() {
    const auto [rocks, mem] = Readers();
    const Cf cf = Family();
    const IteratorOptions options = Bounds();
    auto a = rocks->NewIterator(cf, options), b = mem->NewIterator(cf, options);
    for (int moves = 0; moves < 10; ++moves) {
      const uint64_t move = random_.Uniform(a->Valid() ? 6 : 4);
      const std::string target = Key();
      for (Iterator* it : {a.get(), b.get()}) {
        switch (move) {
          case 0:
            it->SeekToFirst();
            break;
          case 1:
            it->SeekToLast();
            break;
          case 2:
            it->Seek(target);
            break;
          case 3:
            it->SeekForPrev(target);
            break;
          case 4:
            it->Next();
            break;
          default:
            it->Prev();
        }
      }
      ASSERT_EQ(a->Valid(), b->Valid()) << "move " << move;
      if (!a->Valid()) continue;
      ASSERT_EQ(a->key(), b->key()) << "move " << move;
      ASSERT_EQ(a->value(), b->value());
    }
  }

  Random random_;
  Body rocks_{"rocks"};
  Body mem_{"mem"};
  std::vector<std::pair<std::shared_ptr<const Snapshot>, std::shared_ptr<const Snapshot>>>
      snapshots_;
  uint64_t ingest_turn_ = 0;
  uint64_t maintain_turn_ = 0;
};

TEST(DifferentialTest, RocksAndMemAgree) {
  const uint64_t seed = FromEnvironment("TIKV_SEED", 20261124);
  SCOPED_TRACE(fmt::format("TIKV_SEED={}", seed));
  Differential(seed).Run(FromEnvironment("TIKV_DIFFERENTIAL_OPS", 20'000));
}

}  // namespace
}  // namespace tikv::engine
