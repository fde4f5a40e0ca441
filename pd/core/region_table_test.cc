#include "pd/core/region_table.h"

#include <gtest/gtest.h>

#include <map>

#include "lib/env/random.h"

namespace tikv::pd {
namespace {

std::shared_ptr<RegionInfo> Make(uint64_t id, std::string start, std::string end,
                                 uint64_t version = 1, uint64_t conf_ver = 2) {
  auto r = std::make_shared<RegionInfo>();
  r->meta.set_id(id);
  r->meta.set_start_key(std::move(start));
  r->meta.set_end_key(std::move(end));
  r->meta.mutable_region_epoch()->set_version(version);
  r->meta.mutable_region_epoch()->set_conf_ver(conf_ver);
  for (uint64_t store : {1, 2, 3}) {
    auto* p = r->meta.add_peers();
    p->set_id(id * 10 + store);
    p->set_store_id(store);
  }
  r->leader = r->meta.peers(0);
  r->approximate_size_mib = 10;
  r->reported = true;
  return r;
}

std::vector<uint64_t> Ids(const std::vector<RegionPtr>& regions) {
  std::vector<uint64_t> out;
  for (const auto& r : regions) out.push_back(r->meta.id());
  return out;
}

uint64_t IdOf(const RegionPtr& r) { return r == nullptr ? 0 : r->meta.id(); }

// a: [,b) 1   [b,d) 2   [d,f) 3   then a hole up to h   [h,) 4
RegionTable Sample() {
  RegionTable t;
  t.Put(Make(1, "", "b"));
  t.Put(Make(2, "b", "d"));
  t.Put(Make(3, "d", "f"));
  t.Put(Make(4, "h", ""));
  return t;
}

TEST(RegionTable, FindsByKeyAndNeighbour) {
  RegionTable t = Sample();
  const std::tuple<const char*, uint64_t, uint64_t> cases[] = {
      {"", 1, 0},  {"a", 1, 0}, {"b", 2, 1}, {"c", 2, 1},  {"d", 3, 2},
      {"f", 0, 0}, {"g", 0, 0}, {"h", 4, 0}, {"zzz", 4, 0}};
  for (const auto& [key, at, before] : cases) {
    EXPECT_EQ(IdOf(t.ByKey(key)), at) << key;
    EXPECT_EQ(IdOf(t.Prev(key)), before) << key;
  }
  EXPECT_EQ(IdOf(t.Next(*t.ById(RegionId(1)))), 2u);
  EXPECT_EQ(IdOf(t.Next(*t.ById(RegionId(3)))), 0u);
  EXPECT_EQ(t.Holes(), (std::vector<KeyRange>{{"f", "h"}}));
}

TEST(RegionTable, Scans) {
  RegionTable t = Sample();
  struct Case {
    const char *start, *end;
    int64_t limit;
    std::vector<uint64_t> want;
  };
  for (const Case& c : std::vector<Case>{{"", "", 0, {1, 2, 3, 4}},
                                         {"c", "", 2, {2, 3}},
                                         {"c", "d", -1, {2}},
                                         {"c", "e", 0, {2, 3}},
                                         {"c", "c", 0, {2}},
                                         {"e", "c", 0, {}},
                                         {"f", "h", 0, {}},
                                         {"g", "", 0, {4}}}) {
    EXPECT_EQ(Ids(t.Scan(c.start, c.end, c.limit)), c.want) << c.start << ".." << c.end;
  }
}

TEST(RegionTable, BatchScans) {
  RegionTable t = Sample();
  auto scan = [&](std::vector<KeyRange> ranges, int64_t limit, bool whole) {
    return t.BatchScan(ranges, limit, whole);
  };
  EXPECT_EQ(Ids(*scan({{"", "a"}, {"e", "f"}}, 0, true)), (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(Ids(*scan({{"b1", "b2"}, {"b3", "b4"}}, 0, true)), (std::vector<uint64_t>{2}));
  EXPECT_EQ(Ids(*scan({{"", "c"}, {"c1", "e"}}, 0, true)), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(Ids(*scan({{"", "a"}, {"b", "c"}, {"d", "e"}}, 2, false)),
            (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(absl::IsOutOfRange(scan({{"d", "i"}}, 0, true).status()));
  EXPECT_EQ(Ids(*scan({{"d", "i"}}, 0, false)), (std::vector<uint64_t>{3, 4}));
  EXPECT_TRUE(absl::IsOutOfRange(scan({{"e", "g"}}, 0, true).status()));
  for (const auto& bad : std::vector<std::vector<KeyRange>>{{{"e", "c"}},
                                                            {{"e", "f"}, {"a", "b"}},
                                                            {{"a", "e"}, {"c", "f"}},
                                                            {{"a", ""}, {"b", ""}}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(scan(bad, 0, false).status()));
  }
}

TEST(RegionTable, AdmitsOnlyWhatIsNotOlder) {
  RegionTable t;
  auto current = Make(1, "a", "m", 5, 5);
  current->term = 7;
  t.Put(current);
  auto check = [&](std::shared_ptr<RegionInfo> r, uint64_t term) {
    r->term = term;
    return t.Check(*r).ok();
  };
  EXPECT_TRUE(check(Make(1, "a", "m", 5, 5), 7));
  EXPECT_TRUE(check(Make(1, "a", "m", 5, 6), 6)) << "a newer epoch needs no term";
  EXPECT_TRUE(check(Make(1, "a", "z", 6, 5), 0));
  EXPECT_FALSE(check(Make(1, "a", "m", 4, 5), 9)) << "older version";
  EXPECT_FALSE(check(Make(1, "a", "m", 6, 4), 9)) << "older conf_ver";
  EXPECT_FALSE(check(Make(1, "a", "m", 5, 5), 6)) << "a deposed leader";
  EXPECT_FALSE(check(Make(2, "c", "d", 4, 1), 9)) << "overlaps a newer one";
  EXPECT_TRUE(check(Make(2, "m", "z", 1, 1), 0)) << "beside it";
  EXPECT_TRUE(check(Make(1, "a", "m", 1, 1), 0)) << "recreated";
}

TEST(RegionTable, NewerRegionsRemoveWhatTheyOverlap) {
  RegionTable t = Sample();
  auto change = t.Put(Make(9, "a", "e", 3));
  EXPECT_TRUE(change.meta_changed);
  EXPECT_EQ(Ids(change.removed), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(t.size(), 2u);
  EXPECT_EQ(t.OfStore(StoreId(1)).leaders.size(), 2u);
  EXPECT_EQ(t.total_size_mib(), 20u);
}

TEST(RegionTable, KeepsKnownSizesAndFollowsRoles) {
  RegionTable t;
  t.Put(Make(1, "", ""));
  auto next = Make(1, "", "");
  next->approximate_size_mib = 0;
  next->leader = next->meta.peers(1);
  next->meta.mutable_peers(2)->set_role(metapb::Learner);
  next->pending_peers.push_back(next->meta.peers(2));
  auto change = t.Put(next);
  EXPECT_TRUE(change.leader_changed);
  EXPECT_EQ(t.ById(RegionId(1))->approximate_size_mib, 10u);
  EXPECT_EQ(t.OfStore(StoreId(1)).leaders.size(), 0u);
  EXPECT_EQ(t.OfStore(StoreId(1)).followers.size(), 1u);
  EXPECT_EQ(t.OfStore(StoreId(2)).leader_size_mib, 10u);
  EXPECT_EQ(t.OfStore(StoreId(3)).learners.size(), 1u);
  EXPECT_EQ(t.OfStore(StoreId(3)).pending.size(), 1u);
  EXPECT_EQ(t.OfStore(StoreId(3)).region_count(), 1u);
  t.Remove(RegionId(1));
  EXPECT_EQ(t.OfStore(StoreId(3)).pending.size(), 0u);
  EXPECT_EQ(t.OfStore(StoreId(2)).region_size_mib, 0u);
  EXPECT_EQ(t.reported(), 0u);
}

// The same rules without any index: a list that is searched from end to end.
class Oracle {
 public:
  void Put(const RegionPtr& r) {
    std::erase_if(
        all_, [&](const auto& kv) { return kv.first == r->meta.id() || Overlap(*kv.second, *r); });
    all_[r->meta.id()] = r;
  }
  void Remove(uint64_t id) { all_.erase(id); }
  uint64_t At(const std::string& key) const {
    for (const auto& [id, r] : all_) {
      if (r->Contains(key)) return id;
    }
    return 0;
  }
  const std::map<uint64_t, RegionPtr>& all() const { return all_; }

 private:
  static bool Overlap(const RegionInfo& a, const RegionInfo& b) {
    return (b.end().empty() || a.start() < b.end()) && (a.end().empty() || b.start() < a.end());
  }
  std::map<uint64_t, RegionPtr> all_;
};

TEST(RegionTable, AnEmptyRegionCountsAsOneMib) {
  RegionTable t;
  auto empty = Make(1, "", "");
  empty->approximate_size_mib = 0;
  t.Put(empty);
  EXPECT_EQ(t.total_size_mib(), 1u);
  EXPECT_EQ(t.OfStore(StoreId(1)).region_size_mib, 1u);
}

TEST(RegionTable, AgreesWithTheOracleUnderRandomChanges) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed, "region-table");
    RegionTable table;
    Oracle oracle;
    auto key = [&](uint64_t n) { return n == 0 ? std::string() : std::string(1, 'a' + n); };
    for (int step = 0; step < 400; ++step) {
      const uint64_t id = 1 + random.Uniform(12), from = random.Uniform(20);
      const uint64_t to = from + 1 + random.Uniform(5);
      if (random.OneIn(8)) {
        table.Remove(RegionId(id));
        oracle.Remove(id);
        continue;
      }
      auto r = Make(id, key(from), to >= 20 ? "" : key(to), 1 + random.Uniform(5));
      r->leader = r->meta.peers(static_cast<int>(random.Uniform(3)));
      r->approximate_size_mib = random.Uniform(100);
      oracle.Put(r);
      table.Put(r);
    }
    ASSERT_EQ(table.size(), oracle.all().size());
    for (uint64_t n = 0; n < 22; ++n) ASSERT_EQ(IdOf(table.ByKey(key(n))), oracle.At(key(n)));
    std::map<uint64_t, uint64_t> leaders;
    uint64_t size = 0;
    for (const auto& [id, r] : oracle.all()) {
      ++leaders[r->leader.store_id()];
      size += r->approximate_size_mib;
    }
    for (uint64_t store : {1, 2, 3}) {
      ASSERT_EQ(table.OfStore(StoreId(store)).leaders.size(), leaders[store]);
      ASSERT_EQ(table.OfStore(StoreId(store)).region_count(), oracle.all().size());
    }
    ASSERT_EQ(table.total_size_mib(), size);
  }
}

}  // namespace
}  // namespace tikv::pd
