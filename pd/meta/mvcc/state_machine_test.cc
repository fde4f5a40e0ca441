#include "pd/meta/mvcc/state_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/env/random.h"
#include "pd/meta/errors.h"
#include "pd/meta/mvcc/checks.h"
#include "pd/meta/mvcc/history.h"
#include "pd/meta/mvcc/layout.h"
#include "pd/meta/mvcc/range.h"
#include "pd/meta/mvcc/view.h"

namespace tikv::pd::meta {
namespace {

using Condition = etcdserverpb::Compare;
using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;
using etcdserverpb::TxnRequest;
using testing::ElementsAre;

class StateMachineTest : public testing::Test {
 protected:
  StateMachineTest() : engine_(engine::NewMemEngine(nullptr)) { Reopen(); }

  void Reopen() {
    machine_.reset();
    auto opened = StateMachine::Open(engine_.get());
    CHECK_OK(opened);
    machine_ = *std::move(opened);
  }

  Applied Apply(CommandType type, const google::protobuf::MessageLite& request) {
    auto applied = machine_->Apply(machine_->applied_index() + 1,
                                   *DecodeCommand(EncodeCommand(1, type, request)));
    CHECK_OK(applied);
    return *std::move(applied);
  }

  int64_t Put(const std::string& key, const std::string& value, int64_t lease = 0) {
    etcdserverpb::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    request.set_lease(lease);
    CHECK_OK(Apply(CommandType::kPut, request).response);
    return machine_->revision();
  }

  int64_t Delete(const std::string& key, const std::string& end = {}) {
    etcdserverpb::DeleteRangeRequest request;
    request.set_key(key);
    request.set_range_end(end);
    auto applied = Apply(CommandType::kDeleteRange, request);
    return std::get<etcdserverpb::DeleteRangeResponse>(*applied.response).deleted();
  }

  absl::Status Compact(int64_t revision) {
    etcdserverpb::CompactionRequest request;
    request.set_revision(revision);
    auto status = Apply(CommandType::kCompaction, request).response.status();
    for (absl::StatusOr<bool> more = true; *more;) {
      more = machine_->CompactSome(2);
      CHECK_OK(more);
    }
    return status;
  }

  absl::StatusOr<RangeResponse> Range(RangeRequest request) {
    StateMachine::ReadView view = machine_->TakeSnapshot();
    auto revision = view.Resolve(request.revision());
    if (!revision.ok()) return revision.status();
    return ExecuteRange(View(*view.snapshot, *revision), request);
  }

  std::optional<std::string> Get(const std::string& key, int64_t revision = 0) {
    RangeRequest request;
    request.set_key(key);
    request.set_revision(revision);
    auto response = Range(request);
    CHECK_OK(response);
    if (response->kvs_size() == 0) return std::nullopt;
    return response->kvs(0).value();
  }

  int64_t Grant(int64_t id) {
    etcdserverpb::LeaseGrantRequest request;
    request.set_id(id);
    request.set_ttl(10);
    CHECK_OK(Apply(CommandType::kLeaseGrant, request).response);
    return id;
  }

  Applied Revoke(int64_t id) {
    etcdserverpb::LeaseRevokeRequest request;
    request.set_id(id);
    return Apply(CommandType::kLeaseRevoke, request);
  }

  std::unique_ptr<engine::KvEngine> engine_;
  std::unique_ptr<StateMachine> machine_;
};

TEST(LayoutTest, DataKeysSortByKeyThenNewestFirst) {
  const std::string nul("a\0", 2), nul_nul("a\0\0", 3);
  std::vector<std::string> want = {DataKey("a", 2),     DataKey("a", 1),  DataKey(nul, 9),
                                   DataKey(nul_nul, 1), DataKey("aa", 3), DataKey("b", 1)};
  EXPECT_TRUE(std::is_sorted(want.begin(), want.end()));
  for (const std::string& key : {std::string("a"), nul, nul_nul, std::string("\xff\0\xff", 3)}) {
    auto parts = ParseDataKey(DataKey(key, 7));
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->key, key);
    EXPECT_EQ(parts->revision, 7);
  }
}

TEST_F(StateMachineTest, ARestartFindsEverything) {
  Grant(5);
  const int64_t old = Put("k", "1");
  Put("k", "2", 5);
  EXPECT_EQ(Compact(old), absl::OkStatus());
  Reopen();
  EXPECT_EQ(Get("k"), "2");
  EXPECT_EQ(machine_->revision(), old + 1);
  EXPECT_EQ(machine_->compact_revision(), old);
  EXPECT_TRUE(machine_->HasLease(5));
}

TEST_F(StateMachineTest, RevokingDeletesAttachedKeysInOneRevision) {
  Grant(5);
  Put("a", "", 5);
  Put("b", "", 5);
  Put("c", "", 5);
  Put("b", "kept");  // Detached.
  const int64_t before = machine_->revision();
  Applied applied = Revoke(5);
  EXPECT_EQ(machine_->revision(), before + 1);
  EXPECT_EQ(applied.events.size(), 2u);
  EXPECT_EQ(Get("a"), std::nullopt);
  EXPECT_EQ(Get("b"), "kept");
  EXPECT_EQ(Revoke(5).response.status(), ErrLeaseNotFound());
}

TEST_F(StateMachineTest, ARefusedCommandChangesNothingButTheIndex) {
  etcdserverpb::PutRequest request;
  request.set_key("k");
  request.set_lease(99);
  const uint64_t index = machine_->applied_index();
  EXPECT_EQ(Apply(CommandType::kPut, request).response.status(), ErrLeaseNotFound());
  EXPECT_EQ(machine_->revision(), 1);
  EXPECT_EQ(machine_->applied_index(), index + 1);
}

TEST_F(StateMachineTest, AFailingOperationUndoesTheWholeTransaction) {
  TxnRequest txn;
  auto* put = txn.add_success()->mutable_request_put();
  put->set_key("a");
  txn.add_success()->mutable_request_range()->set_key("a");
  txn.mutable_success(1)->mutable_request_range()->set_revision(1000);
  EXPECT_EQ(Apply(CommandType::kTxn, txn).response.status(), ErrFutureRev());
  EXPECT_EQ(Get("a"), std::nullopt);
  EXPECT_EQ(machine_->revision(), 1);
}

TEST_F(StateMachineTest, NestedConditionsSeeTheStateBefore) {
  TxnRequest txn;
  txn.add_success()->mutable_request_put()->set_key("a");
  auto* nested = txn.add_success()->mutable_request_txn();
  auto* compare = nested->add_compare();
  compare->set_key("a");
  compare->set_target(Condition::VERSION);
  compare->set_version(0);
  nested->add_success()->mutable_request_range()->set_key("a");
  auto applied = Apply(CommandType::kTxn, txn);
  auto& response = std::get<etcdserverpb::TxnResponse>(*applied.response);
  EXPECT_TRUE(response.responses(1).response_txn().succeeded());
  EXPECT_EQ(response.responses(1).response_txn().responses(0).response_range().count(), 1)
      << "while reads see the put";
}

TEST(ChecksTest, KeysChangedTwiceAreRefused) {
  auto put = [](auto* op, const char* key) { op->mutable_request_put()->set_key(key); };
  TxnRequest twice;
  put(twice.add_success(), "a");
  put(twice.add_success(), "a");
  EXPECT_EQ(CheckTxn(twice), ErrDuplicateKey());

  TxnRequest both_branches;
  put(both_branches.add_success(), "a");
  put(both_branches.add_failure(), "a");
  EXPECT_EQ(CheckTxn(both_branches), absl::OkStatus());

  TxnRequest nested;
  auto* inner = nested.add_success()->mutable_request_txn();
  put(inner->add_success(), "a");
  inner->add_failure()->mutable_request_delete_range()->set_key("a");
  EXPECT_EQ(CheckTxn(nested), absl::OkStatus()) << "branches exclude each other";
  auto* del = nested.add_success()->mutable_request_delete_range();
  del->set_key("a");
  del->set_range_end("b");
  EXPECT_EQ(CheckTxn(nested), ErrDuplicateKey());
}

TEST(ChecksTest, NestedTransactionsShareTheLimit) {
  TxnRequest txn;
  for (int i = 0; i < kMaxTxnOps; ++i) {
    txn.add_success()->mutable_request_put()->set_key(fmt::format("{}", i));
  }
  EXPECT_EQ(CheckTxn(txn), absl::OkStatus());
  txn.mutable_success(0)->mutable_request_txn()->add_success()->mutable_request_range()->set_key(
      "k");
  EXPECT_EQ(CheckTxn(txn), ErrTooManyOps());
}

// The plainest possible store: every state of the past as a map.
class NaiveStore {
 public:
  NaiveStore() : states_(2) {}  // Revision 1 is empty.
  int64_t revision() const { return static_cast<int64_t>(states_.size()) - 1; }
  const std::map<std::string, KeyValue>& at(int64_t revision) const { return states_[revision]; }

  void Put(const std::string& key, const std::string& value) {
    auto next = states_.back();
    KeyValue& kv = next[key];
    kv.mod_revision = revision() + 1;
    if (kv.version++ == 0) kv.create_revision = kv.mod_revision;
    kv.key = key;
    kv.value = value;
    states_.push_back(std::move(next));
  }
  void Delete(const KeyRange& range) {
    auto next = states_.back();
    if (std::erase_if(next, [&](auto& kv) { return range.contains(kv.first); }) > 0) {
      states_.push_back(std::move(next));
    }
  }

 private:
  std::vector<std::map<std::string, KeyValue>> states_;
};

class AgainstNaive : public StateMachineTest {
 protected:
  std::string RandomKey() {
    return std::string(1 + random_.Uniform(2), "\0ab\xff"[random_.Uniform(4)]);
  }

  void Change() {
    if (random_.OneIn(4)) {
      KeyRange range{RandomKey(), random_.OneIn(2) ? RandomKey() : std::string()};
      Delete(range.key, range.end);
      naive_.Delete(range);
    } else {
      const std::string key = RandomKey(), value = std::to_string(random_.Uniform(100));
      Put(key, value);
      naive_.Put(key, value);
    }
    ASSERT_EQ(machine_->revision(), naive_.revision());
  }

  void CompareAt(int64_t revision) {
    RangeRequest all;
    all.set_key(std::string(1, '\0'));
    all.set_range_end(std::string(1, '\0'));
    all.set_revision(revision);
    auto got = Range(all);
    ASSERT_TRUE(got.ok()) << got.status();
    const auto& want = naive_.at(revision);
    ASSERT_EQ(got->kvs_size(), static_cast<int>(want.size())) << "at " << revision;
    int i = 0;
    for (const auto& [key, kv] : want) {
      const auto& g = got->kvs(i++);
      EXPECT_EQ(std::tie(g.key(), g.value()), std::tie(key, kv.value));
      EXPECT_EQ(g.create_revision(), kv.create_revision);
      EXPECT_EQ(g.mod_revision(), kv.mod_revision);
      EXPECT_EQ(g.version(), kv.version);
    }
  }

  void CheckHistory(int64_t from) {
    StateMachine::ReadView view = machine_->TakeSnapshot();
    auto state = naive_.at(from - 1);
    int64_t expected = from;
    ASSERT_EQ(ReadHistory(*view.snapshot, from, view.revision,
                          [&](std::vector<Event> events) {
                            for (Event& e : events) {
                              EXPECT_EQ(e.kv.mod_revision, expected);
                              e.is_delete ? (void)state.erase(e.kv.key)
                                          : (void)(state[e.kv.key] = e.kv);
                            }
                            const auto& want = naive_.at(expected++);
                            EXPECT_EQ(state.size(), want.size());
                            for (auto& [k, kv] : want) EXPECT_EQ(state[k].value, kv.value);
                            return true;
                          }),
              absl::OkStatus());
    EXPECT_EQ(expected, naive_.revision() + 1);
  }

  Random random_{20261124};
  NaiveStore naive_;
};

TEST_F(AgainstNaive, EveryRevisionReadsAsItWas) {
  for (int i = 0; i < 400; ++i) Change();
  for (int64_t r = 1; r <= naive_.revision(); ++r) CompareAt(r);
  CheckHistory(2);
}

TEST_F(AgainstNaive, CompactionRemovesOnlyWhatNobodyMayRead) {
  int64_t compacted = 1;
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 50; ++i) Change();
    compacted = static_cast<int64_t>(random_.Between(compacted + 1, naive_.revision()));
    ASSERT_EQ(Compact(compacted), absl::OkStatus());
    for (int64_t r = compacted; r <= naive_.revision(); ++r) CompareAt(r);
    CheckHistory(compacted + 1);
  }
  RangeRequest old;
  old.set_key("a");
  old.set_revision(compacted - 1);
  EXPECT_EQ(Range(old).status(), ErrCompacted());
  ASSERT_EQ(Compact(naive_.revision()), absl::OkStatus());
  size_t records = 0;
  auto it = engine_->NewIterator(engine::Cf::kDefault, {.lower = "d", .upper = "e"});
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++records;
  EXPECT_EQ(records, naive_.at(naive_.revision()).size()) << "one record per living key is left";
}

TEST_F(StateMachineTest, RangeOptions) {
  for (const char* k : {"b", "a", "d", "c"}) Put(k, k);
  RangeRequest request;
  request.set_key("a");
  request.set_range_end("d");
  request.set_limit(2);
  auto response = Range(request);
  EXPECT_EQ(response->count(), 3);
  EXPECT_TRUE(response->more());
  EXPECT_THAT(response->kvs(), testing::SizeIs(2));
  request.set_sort_target(RangeRequest::CREATE);
  request.set_sort_order(RangeRequest::DESCEND);
  response = Range(request);
  EXPECT_EQ(response->kvs(0).key(), "c");
  request.set_count_only(true);
  response = Range(request);
  EXPECT_EQ(response->kvs_size(), 0);
  EXPECT_EQ(response->count(), 3);
}

TEST_F(StateMachineTest, OnlyAFullDiskIsAnAlarm) {
  etcdserverpb::AlarmRequest request;
  request.set_action(etcdserverpb::AlarmRequest::ACTIVATE);
  request.set_memberid(7);
  CHECK_OK(Apply(CommandType::kAlarm, request).response);
  EXPECT_TRUE(machine_->alarms().empty());
  request.set_alarm(etcdserverpb::NOSPACE);
  CHECK_OK(Apply(CommandType::kAlarm, request).response);
  EXPECT_TRUE(machine_->alarms().contains(7));
}

}  // namespace
}  // namespace tikv::pd::meta
