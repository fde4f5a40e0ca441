// The driver against scripted stores and PD: what each region error makes it do.
#include <gtest/gtest.h>

#include "client/driver/fan_out.h"
#include "client/driver/typed_task.h"
#include "lib/env/posix/clock.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/sim/manual_clock.h"

namespace tikv::client {
namespace {

using kvrpcpb::RawGetResponse;

metapb::Region MakeRegion(uint64_t id, std::string start, std::string end, uint64_t version) {
  metapb::Region r;
  r.set_id(id);
  r.set_start_key(std::move(start));
  r.set_end_key(std::move(end));
  r.mutable_region_epoch()->set_version(version);
  for (uint64_t store = 1; store <= 2; ++store) {
    auto* peer = r.add_peers();
    peer->set_id(id * 10 + store);
    peer->set_store_id(store);
  }
  return r;
}

// PD with a fixed region table; counts lookups.
class FakePd final : public PdAccess {
 public:
  void GetRegion(std::string key, bool, Callback<absl::StatusOr<PdRegion>> done) override {
    ++lookups;
    for (const auto& r : regions) {
      if (key >= r.region.start_key() && (r.region.end_key().empty() || key < r.region.end_key())) {
        return std::move(done)(r);
      }
    }
    std::move(done)(NotFound("no region"));
  }
  void GetStore(uint64_t id, Callback<absl::StatusOr<metapb::Store>> done) override {
    metapb::Store store;
    store.set_id(id);
    store.set_address(fmt::format("store-{}", id));
    std::move(done)(store);
  }

  std::vector<PdRegion> regions;
  int lookups = 0;
};

// Stores that answer by a function of (address, request).
class FakeStores final : public StoreTransport {
 public:
  using Answer =
      std::function<absl::StatusOr<BatchResponse>(const std::string&, const BatchRequest&)>;

  void Batched(const std::string& address, BatchRequest request, std::chrono::milliseconds,
               Callback<absl::StatusOr<BatchResponse>> done) override {
    asked.push_back(address);
    std::move(done)(answer(address, request));
  }
  void Unary(const std::string& address, std::string_view, std::string, std::chrono::milliseconds,
             Callback<absl::StatusOr<std::string>> done) override {
    asked.push_back(address);
    std::move(done)(Unavailable("gone"));
  }

  Answer answer;
  std::vector<std::string> asked;
};

class RegionTaskTest : public testing::Test {
 protected:
  RegionTaskTest() {
    pd_.regions.push_back({MakeRegion(1, "", "", 1), {}});
    pd_.regions[0].leader = pd_.regions[0].region.peers(0);
  }
  ~RegionTaskTest() override { timers_.Stop(); }

  // Runs a point request to its end, on this thread and the timers'.
  template <class Method>
  absl::StatusOr<typename Method::Response> Run(typename Method::Request request,
                                                Duration limit = std::chrono::seconds(5)) {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<absl::StatusOr<typename Method::Response>> result;
    std::make_shared<PointTask<Method>>(&driver_, request.key(), clock_.Now() + limit, request,
                                        [&](auto r) {
                                          std::lock_guard lock(mutex);
                                          result.emplace(std::move(r));
                                          ready.notify_one();
                                        })
        ->Start();
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return result.has_value(); });
    return *result;
  }

  absl::StatusOr<RawGetResponse> Get(Duration limit = std::chrono::seconds(5)) {
    kvrpcpb::RawGetRequest request;
    request.set_key("k");
    return Run<RawGetMethod>(request, limit);
  }

  static FakeStores::BatchResponse Reply(RawGetResponse response) {
    FakeStores::BatchResponse batch;
    *batch.mutable_rawget() = std::move(response);
    return batch;
  }
  static RawGetResponse Value(std::string value) {
    RawGetResponse response;
    response.set_value(std::move(value));
    return response;
  }

  PosixClock clock_;
  ThreadExecutor timers_{{.name = "timers"}, &clock_};
  FakePd pd_;
  FakeStores stores_;
  RawCodec codec_{ApiVersion::kV1};
  Locator locator_{&pd_, &codec_};
  Random random_{1};
  std::mutex random_mutex_;
  DriverContext driver_{&locator_, &stores_,       &timers_,        &clock_,
                        &random_,  &random_mutex_, ApiVersion::kV1, std::chrono::seconds(1)};
};

TEST_F(RegionTaskTest, FollowsTheLeaderAtOnce) {
  stores_.answer = [&](const std::string& address, const auto&) {
    if (address == "store-2") return Reply(Value("v"));
    RawGetResponse response;
    *response.mutable_region_error()->mutable_not_leader()->mutable_leader() =
        pd_.regions[0].region.peers(1);
    return Reply(response);
  };
  EXPECT_EQ(Get()->value(), "v");
  EXPECT_EQ(stores_.asked, (std::vector<std::string>{"store-1", "store-2"}));
  EXPECT_EQ(pd_.lookups, 1);
  EXPECT_EQ(Get()->value(), "v");
  EXPECT_EQ(stores_.asked.back(), "store-2") << "the leader is remembered";
}

TEST_F(RegionTaskTest, LearnsRegionsFromEpochNotMatch) {
  stores_.answer = [&](const std::string&, const auto& request) {
    if (request.rawget().context().region_epoch().version() == 2) return Reply(Value("v"));
    RawGetResponse response;
    auto* error = response.mutable_region_error()->mutable_epoch_not_match();
    *error->add_current_regions() = MakeRegion(2, "", "m", 2);
    *error->add_current_regions() = MakeRegion(1, "m", "", 2);
    return Reply(response);
  };
  EXPECT_EQ(Get()->value(), "v");
  EXPECT_EQ(pd_.lookups, 1) << "the reply told all";
}

TEST_F(RegionTaskTest, AsksPdAgainWhenTheStoreIsGone) {
  stores_.answer = [&](const std::string& address,
                       const auto&) -> absl::StatusOr<FakeStores::BatchResponse> {
    if (address == "store-2") return Reply(Value("v"));
    pd_.regions[0].leader = pd_.regions[0].region.peers(1);
    return Unavailable("connection refused");
  };
  EXPECT_EQ(Get()->value(), "v");
  EXPECT_EQ(pd_.lookups, 2);
}

TEST_F(RegionTaskTest, EndsAtTheDeadlineWithTheCause) {
  stores_.answer = [&](const std::string&, const auto&) {
    RawGetResponse response;
    response.mutable_region_error()->set_message("server is busy, says the store");
    response.mutable_region_error()->mutable_server_is_busy();
    return Reply(response);
  };
  const absl::Status s = Get(std::chrono::milliseconds(50)).status();
  EXPECT_EQ(s.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(Message(s).find("says the store"), std::string::npos);
}

// A busy machine: every timer is an hour late.
class LateTimers final : public Executor {
 public:
  explicit LateTimers(sim::ManualClock* clock) : clock_(clock) {}
  void Post(Task task) override { std::move(task)(); }
  bool TryPost(Task&& task) override {
    Post(std::move(task));
    return true;
  }
  TimerId PostAfter(Duration, Task task) override {
    clock_->Advance(std::chrono::hours(1));
    Post(std::move(task));
    return TimerId::kNone;
  }
  bool Cancel(TimerId) override { return false; }
  bool InThread() const override { return true; }

 private:
  sim::ManualClock* clock_;
};

TEST_F(RegionTaskTest, KeepsTheCauseWhenTheLastPauseLastsTooLong) {
  sim::ManualClock clock;
  LateTimers timers(&clock);
  driver_.clock = &clock;
  driver_.timers = &timers;
  stores_.answer = [&](const std::string&, const auto&) {
    RawGetResponse response;
    response.mutable_region_error()->set_message("server is busy, says the store");
    response.mutable_region_error()->mutable_server_is_busy();
    return Reply(response);
  };
  kvrpcpb::RawGetRequest request;
  request.set_key("k");
  absl::Status s;
  std::make_shared<PointTask<RawGetMethod>>(&driver_, "k", clock.Now() + std::chrono::seconds(5),
                                            request, [&](auto r) { s = r.status(); })
      ->Start();
  EXPECT_EQ(s.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(Message(s).find("says the store"), std::string::npos) << Message(s);
}

TEST_F(RegionTaskTest, DoesNotRepeatACompareAndSwapThatMayHaveArrived) {
  kvrpcpb::RawCASRequest request;
  request.set_key("k");
  EXPECT_EQ(Run<RawCompareAndSwapMethod>(request).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(stores_.asked.size(), 1u);
}

// Spreads keys over regions and collects them.
struct GetTraits {
  using Method = RawBatchGetMethod;
  using Item = std::string;
  using Output = std::vector<std::string>;
  static const std::string& Key(const Item& key) { return key; }
  static size_t Size(const Item& key) { return key.size(); }
  static void Add(kvrpcpb::RawBatchGetRequest* request, const Item& key) { request->add_keys(key); }
  static void Collect(kvrpcpb::RawBatchGetResponse* response, Output* out) {
    for (const auto& pair : response->pairs()) out->push_back(pair.key());
  }
};

TEST_F(RegionTaskTest, ASplitBetweenAttemptsRegroupsTheKeys) {
  bool split = false;
  stores_.answer = [&](const std::string&, const FakeStores::BatchRequest& request) {
    FakeStores::BatchResponse batch;
    auto* response = batch.mutable_rawbatchget();
    if (!split) {
      split = true;
      auto* error = response->mutable_region_error()->mutable_epoch_not_match();
      *error->add_current_regions() = MakeRegion(2, "", "m", 2);
      *error->add_current_regions() = MakeRegion(1, "m", "", 2);
      return batch;
    }
    EXPECT_EQ(request.rawbatchget().keys_size(), 1) << "one key of each region";
    for (const auto& key : request.rawbatchget().keys()) response->add_pairs()->set_key(key);
    return batch;
  };
  absl::StatusOr<std::vector<std::string>> got;
  std::make_shared<FanOut<GetTraits>>(&driver_, clock_.Now() + std::chrono::seconds(5),
                                      kvrpcpb::RawBatchGetRequest(),
                                      [&](auto result) { got = std::move(result); })
      ->Start({"a", "z"});
  ASSERT_TRUE(got.ok()) << got.status();
  std::sort(got->begin(), got->end());
  EXPECT_EQ(*got, (std::vector<std::string>{"a", "z"}));
}

}  // namespace
}  // namespace tikv::client
