#include "pd/meta/watch_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/mem/mem_engine.h"
#include "pd/meta/mvcc/state_machine.h"

namespace tikv::pd::meta {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A strand that runs when told to.
class ManualExecutor : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  bool TryPost(Task&& task) override {
    Post(std::move(task));
    return true;
  }
  TimerId PostAfter(Duration, Task) override { return TimerId::kNone; }
  bool Cancel(TimerId) override { return false; }
  bool InThread() const override { return true; }
  void RunAll() {
    for (; !tasks_.empty(); tasks_.pop_front()) std::move(tasks_.front())();
  }

 private:
  std::deque<Task> tasks_;
};

class RecordingSink : public WatchSink {
 public:
  void OnCreated(int64_t revision) override { created = revision; }
  bool OnEvents(int64_t, const std::vector<Event>& events) override {
    for (const Event& e : events) {
      seen.push_back(e.kv.key + (e.is_delete ? " gone" : "=" + e.kv.value) +
                     (e.has_prev ? "<-" + e.prev.value : ""));
    }
    return !full;
  }
  void OnCompacted(int64_t revision) override { compacted = revision; }

  int64_t created = 0, compacted = 0;
  bool full = false;
  std::vector<std::string> seen;
};

class WatchHubTest : public testing::Test {
 protected:
  WatchHubTest()
      : engine_(engine::NewMemEngine(nullptr)),
        machine_(*StateMachine::Open(engine_.get())),
        hub_(machine_.get(), &strand_) {}

  template <class Request>
  void Apply(CommandType type, const Request& request) {
    auto applied = machine_->Apply(machine_->applied_index() + 1,
                                   *DecodeCommand(EncodeCommand(1, type, request)));
    CHECK_OK(applied);
    hub_.OnApplied(machine_->revision(), std::move(applied->events));
  }
  void Put(const std::string& key, const std::string& value) {
    etcdserverpb::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    Apply(CommandType::kPut, request);
  }
  void Delete(const std::string& key) {
    etcdserverpb::DeleteRangeRequest request;
    request.set_key(key);
    Apply(CommandType::kDeleteRange, request);
  }
  std::shared_ptr<RecordingSink> Watch(KeyRange range, int64_t from = 0) {
    auto sink = std::make_shared<RecordingSink>();
    last_id_ = hub_.Add(std::move(range), from, sink);
    strand_.RunAll();
    return sink;
  }

  ManualExecutor strand_;
  std::unique_ptr<engine::KvEngine> engine_;
  std::unique_ptr<StateMachine> machine_;
  WatchHub hub_;
  WatchHub::WatchId last_id_ = 0;
};

TEST_F(WatchHubTest, DeliversWhatItsRangeHolds) {
  Put("a", "old");
  auto one = Watch(KeyRange::Single("a"));
  auto all = Watch(KeyRange::Prefix(""));
  EXPECT_EQ(one->created, machine_->revision());
  Put("a", "1");
  Put("b", "2");
  Delete("a");
  strand_.RunAll();
  EXPECT_THAT(one->seen, ElementsAre("a=1<-old", "a gone<-1"));
  EXPECT_THAT(all->seen, ElementsAre("a=1<-old", "b=2", "a gone<-1"));
}

TEST_F(WatchHubTest, HistoryFromTheEngineThenWhatFollows) {
  Put("a", "1");
  const int64_t from = machine_->revision();
  Put("a", "2");
  Delete("a");
  strand_.RunAll();
  WatchHub fresh(machine_.get(), &strand_);  // Knows nothing of what happened so far.
  auto sink = std::make_shared<RecordingSink>();
  fresh.Add(KeyRange::Single("a"), from, sink);
  strand_.RunAll();
  EXPECT_THAT(sink->seen, ElementsAre("a=1", "a=2<-1", "a gone<-2"));
}

TEST_F(WatchHubTest, AFullReceiverMissesNothing) {
  auto sink = Watch(KeyRange::Single("a"));
  sink->full = true;
  Put("a", "1");
  strand_.RunAll();
  Put("a", "2");
  Put("a", "3");
  strand_.RunAll();
  EXPECT_THAT(sink->seen, ElementsAre("a=1"));
  sink->full = false;
  hub_.Resume(last_id_);
  strand_.RunAll();
  Put("a", "4");
  strand_.RunAll();
  EXPECT_THAT(sink->seen, ElementsAre("a=1", "a=2<-1", "a=3<-2", "a=4<-3"));
}

TEST_F(WatchHubTest, ProgressIsNoFurtherThanWhatTheWatchWasGiven) {
  auto slow = Watch(KeyRange::Single("a"));
  const WatchHub::WatchId slow_id = last_id_;
  Watch(KeyRange::Single("a"));
  slow->full = true;
  Put("a", "1");
  const int64_t given = machine_->revision();
  strand_.RunAll();
  Put("a", "2");
  int64_t slow_progress = 0, progress = 0;
  hub_.Progress({slow_id, last_id_}, [&](int64_t revision) { slow_progress = revision; });
  hub_.Progress({last_id_}, [&](int64_t revision) { progress = revision; });
  strand_.RunAll();
  EXPECT_EQ(slow_progress, given);
  EXPECT_EQ(progress, machine_->revision());
}

TEST_F(WatchHubTest, AFutureRevisionWaits) {
  auto sink = Watch(KeyRange::Single("a"), machine_->revision() + 2);
  Put("a", "1");
  Put("a", "2");
  strand_.RunAll();
  EXPECT_THAT(sink->seen, ElementsAre("a=2<-1"));
}

TEST_F(WatchHubTest, CompactedHistoryEndsTheWatch) {
  Put("a", "1");
  const int64_t from = machine_->revision();
  Put("a", "2");
  etcdserverpb::CompactionRequest request;
  request.set_revision(machine_->revision());
  Apply(CommandType::kCompaction, request);
  strand_.RunAll();
  auto sink = std::make_shared<RecordingSink>();
  WatchHub fresh(machine_.get(), &strand_);
  fresh.Add(KeyRange::Single("a"), from, sink);
  strand_.RunAll();
  EXPECT_EQ(sink->compacted, machine_->compact_revision());
  EXPECT_THAT(sink->seen, IsEmpty());
}

TEST_F(WatchHubTest, ARemovedWatchIsSilent) {
  auto sink = Watch(KeyRange::Single("a"));
  hub_.Remove(last_id_);
  Put("a", "1");
  strand_.RunAll();
  EXPECT_THAT(sink->seen, IsEmpty());
}

}  // namespace
}  // namespace tikv::pd::meta
