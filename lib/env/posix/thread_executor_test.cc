#include "lib/env/posix/thread_executor.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <future>
#include <thread>

#include "lib/env/posix/clock.h"

namespace tikv {
namespace {

using std::chrono::milliseconds;

class ThreadExecutorTest : public ::testing::Test {
 protected:
  // Waits until everything posted so far has run.
  void Drain() {
    std::promise<void> done;
    executor_.Post([&] { done.set_value(); });
    done.get_future().wait();
  }

  PosixClock clock_;
  ThreadExecutor executor_{{.name = "strand-under-test", .max_queued = 4}, &clock_};
};

TEST_F(ThreadExecutorTest, RunsInOrderOnItsNamedThread) {
  std::vector<int> order;
  std::string name(16, '\0');
  bool inside = false;
  for (int i = 0; i < 100; ++i) executor_.Post([&, i] { order.push_back(i); });
  executor_.Post([&] {
    inside = executor_.InThread();
    pthread_getname_np(pthread_self(), name.data(), name.size());
  });
  Drain();
  EXPECT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_TRUE(inside);
  EXPECT_FALSE(executor_.InThread());
  EXPECT_EQ(std::string(name.c_str()), "strand-under-te");
}

TEST_F(ThreadExecutorTest, PostFromATaskRunsAfterWhatIsQueued) {
  std::vector<int> order;
  std::promise<void> start, done;
  executor_.Post([&] { start.get_future().wait(); });
  executor_.Post([&] {
    order.push_back(1);
    executor_.Post([&] {
      order.push_back(3);
      done.set_value();
    });
  });
  executor_.Post([&] { order.push_back(2); });
  start.set_value();
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(ThreadExecutorTest, TryPostRefusesBeyondItsBoundAndLeavesTheTask) {
  std::promise<void> running, release;
  executor_.Post([&] {
    running.set_value();
    release.get_future().wait();
  });
  running.get_future().wait();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(executor_.TryPost([] {}));
  bool ran = false;
  Task task = [&] { ran = true; };
  EXPECT_FALSE(executor_.TryPost(std::move(task)));
  release.set_value();
  Drain();
  EXPECT_FALSE(ran);
  std::move(task)();  // NOLINT: a refused task is untouched
  EXPECT_TRUE(ran);
}

TEST_F(ThreadExecutorTest, TimersFireInDeadlineOrderAndNeverEarly) {
  std::vector<int> order;
  std::promise<MonotonicTime> last;
  const MonotonicTime start = clock_.Now();
  executor_.PostAfter(milliseconds(20), [&] {
    order.push_back(2);
    last.set_value(clock_.Now());
  });
  executor_.PostAfter(milliseconds(1), [&] { order.push_back(1); });
  EXPECT_GE(last.get_future().get() - start, milliseconds(20));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST_F(ThreadExecutorTest, CancelIsExactOnTheStrand) {
  bool fired = false, cancelled = false, again = true;
  std::promise<void> done;
  executor_.Post([&] {
    const TimerId id = executor_.PostAfter(Duration::zero(), [&] { fired = true; });
    cancelled = executor_.Cancel(id);
    again = executor_.Cancel(id);
    executor_.PostAfter(milliseconds(1), [&] { done.set_value(); });
  });
  done.get_future().wait();
  EXPECT_TRUE(cancelled);
  EXPECT_FALSE(again);
  EXPECT_FALSE(fired);
}

TEST_F(ThreadExecutorTest, StopDestroysWhatDidNotRun) {
  auto alive = std::make_shared<int>(1);
  std::weak_ptr<int> watch = alive;
  executor_.PostAfter(std::chrono::hours(1), [alive = std::move(alive)] {});
  executor_.Stop();
  EXPECT_TRUE(watch.expired());
  bool ran = false;
  executor_.Post([&] { ran = true; });
  EXPECT_FALSE(executor_.TryPost([&] { ran = true; }));
  executor_.Stop();
  EXPECT_FALSE(ran);
}

TEST_F(ThreadExecutorTest, TakesTasksFromManyThreads) {
  int sum = 0;
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) executor_.Post([&] { ++sum; });
    });
  }
  for (auto& t : posters) t.join();
  Drain();
  EXPECT_EQ(sum, 4000);
}

TEST(ThreadPoolTest, RunsBlockingTasksSideBySideAndBoundsItsQueue) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::promise<void> first, second, third;
  ThreadPool pool({.name = "pool", .threads = 2, .max_queued = 1});  // Last: joined first.
  pool.Post([&] {
    first.set_value();
    released.wait();
  });
  first.get_future().wait();
  pool.Post([&] {
    second.set_value();
    released.wait();
  });
  second.get_future().wait();
  EXPECT_TRUE(pool.TryPost([&] { third.set_value(); }));
  EXPECT_FALSE(pool.TryPost([] {}));
  release.set_value();
  third.get_future().wait();
}

TEST(ThreadPoolTest, ResizedWhileRunning) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::promise<void> first, second, third;
  ThreadPool pool({.name = "pool", .threads = 1, .max_queued = 1});
  pool.Post([&] {
    first.set_value();
    released.wait();
  });
  first.get_future().wait();
  EXPECT_TRUE(pool.TryPost([&] {
    second.set_value();
    released.wait();
  }));
  EXPECT_FALSE(pool.TryPost([] {}));
  pool.Resize(2, 2);  // A thread for what waits.
  second.get_future().wait();
  pool.Resize(1, 2);
  EXPECT_TRUE(pool.TryPost([&] { third.set_value(); }));
  release.set_value();
  third.get_future().wait();
}

TEST(ThreadPoolTest, StopDiscardsTheQueue) {
  std::promise<void> running, release;
  ThreadPool pool({.name = "pool", .threads = 1});
  pool.Post([&] {
    running.set_value();
    release.get_future().wait();
  });
  running.get_future().wait();
  auto owned = std::make_shared<bool>(false);
  std::weak_ptr<bool> watch = owned;
  pool.Post([owned = std::move(owned)] { FAIL() << "was queued when the pool stopped"; });
  std::thread stopper([&] { pool.Stop(); });
  while (!watch.expired()) std::this_thread::yield();
  release.set_value();
  stopper.join();
  EXPECT_FALSE(pool.TryPost([] {}));
}

}  // namespace
}  // namespace tikv
