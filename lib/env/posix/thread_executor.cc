#include "lib/env/posix/thread_executor.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "lib/base/check.h"

namespace tikv {
namespace {

// A burst may leave the queue this large; beyond it the memory goes back.
constexpr size_t kKeptCapacity = 4096;

void NameThisThread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace

class ThreadExecutor::Impl {
 public:
  Impl(Options options, Clock* clock)
      : options_(std::move(options)), clock_(clock), thread_([this] { Run(); }) {}

  bool Post(Task&& task, size_t bound) {
    std::unique_lock lock(mutex_);
    if (stopped_ || queue_.size() >= bound) return false;
    queue_.push_back(std::move(task));
    WakeUp(std::move(lock));
    return true;
  }

  bool TryPost(Task&& task) { return Post(std::move(task), options_.max_queued); }

  TimerId PostAfter(Duration delay, Task task) {
    const MonotonicTime deadline = clock_->Now() + delay;
    std::unique_lock lock(mutex_);
    if (stopped_) return TimerId::kNone;
    const uint64_t id = ++last_timer_;
    const bool is_next = timers_.empty() || deadline < timers_.begin()->first.first;
    timers_.emplace(std::pair(deadline, id), std::move(task));
    deadlines_.emplace(id, deadline);
    if (is_next) WakeUp(std::move(lock));
    return TimerId{id};
  }

  bool Cancel(TimerId id) {
    Task task;  // Destroyed after the lock is released: it may own anything.
    std::lock_guard lock(mutex_);
    const auto it = deadlines_.find(static_cast<uint64_t>(id));
    if (it == deadlines_.end()) return false;
    const auto timer = timers_.find({it->second, it->first});
    task = std::move(timer->second);
    timers_.erase(timer);
    deadlines_.erase(it);
    return true;
  }

  bool InThread() const { return std::this_thread::get_id() == thread_.get_id(); }

  void Stop() {
    CHECK(!InThread()) << "a strand cannot wait for itself";
    {
      std::unique_lock lock(mutex_);
      stopped_ = true;
      WakeUp(std::move(lock));
    }
    if (thread_.joinable()) thread_.join();
    Discard();
  }

 private:
  using Timers = std::map<std::pair<MonotonicTime, uint64_t>, Task>;

  // One wake-up per sleep: whoever posts first after the thread went to sleep pays for it.
  void WakeUp(std::unique_lock<std::mutex> lock) {
    const bool notify = std::exchange(sleeping_, false);
    lock.unlock();
    if (notify) wake_up_.notify_one();
  }

  void Run() {
    NameThisThread(options_.name);
    std::vector<Task> batch;
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      RunDueTimers(&lock);
      if (queue_.empty()) {
        Sleep(&lock);
        continue;
      }
      batch.swap(queue_);
      lock.unlock();
      RunBatch(&batch);
      lock.lock();
    }
    lock.unlock();
    batch.clear();
  }

  void RunBatch(std::vector<Task>* batch) {
    for (Task& task : *batch) {
      if (stopping_now()) break;
      std::move(task)();
      task = nullptr;  // What it owns goes now, not after the whole batch.
    }
    batch->clear();
    if (batch->capacity() > kKeptCapacity) batch->shrink_to_fit();
  }

  bool stopping_now() const { return stopped_.load(std::memory_order_relaxed); }

  // One at a time, so that a task can still cancel a timer that is due as well.
  void RunDueTimers(std::unique_lock<std::mutex>* lock) {
    if (timers_.empty()) return;
    const MonotonicTime now = clock_->Now();
    while (!stopped_ && !timers_.empty() && timers_.begin()->first.first <= now) {
      const auto it = timers_.begin();
      Task task = std::move(it->second);
      deadlines_.erase(it->first.second);
      timers_.erase(it);
      lock->unlock();
      std::move(task)();
      task = nullptr;
      lock->lock();
    }
  }

  void Sleep(std::unique_lock<std::mutex>* lock) {
    if (stopped_) return;
    sleeping_ = true;
    if (timers_.empty()) {
      wake_up_.wait(*lock, [this] { return !sleeping_; });
    } else {
      const Duration left = timers_.begin()->first.first - clock_->Now();
      if (left > Duration::zero()) wake_up_.wait_for(*lock, left, [this] { return !sleeping_; });
    }
    sleeping_ = false;
  }

  void Discard() {
    std::vector<Task> queue;
    Timers timers;
    std::lock_guard lock(mutex_);
    queue.swap(queue_);
    timers.swap(timers_);
    deadlines_.clear();
  }

  const Options options_;
  Clock* const clock_;
  std::mutex mutex_;
  std::condition_variable wake_up_;
  std::vector<Task> queue_;
  Timers timers_;
  std::unordered_map<uint64_t, MonotonicTime> deadlines_;
  uint64_t last_timer_ = 0;
  bool sleeping_ = false;
  std::atomic<bool> stopped_ = false;  // Written under the mutex.
  std::thread thread_;                 // Last: it uses all of the above.
};

ThreadExecutor::ThreadExecutor(Options options, Clock* clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
ThreadExecutor::~ThreadExecutor() { Stop(); }
void ThreadExecutor::Post(Task task) { impl_->Post(std::move(task), SIZE_MAX); }
bool ThreadExecutor::TryPost(Task&& task) { return impl_->TryPost(std::move(task)); }
TimerId ThreadExecutor::PostAfter(Duration delay, Task task) {
  return impl_->PostAfter(delay, std::move(task));
}
bool ThreadExecutor::Cancel(TimerId id) { return impl_->Cancel(id); }
bool ThreadExecutor::InThread() const { return impl_->InThread(); }
void ThreadExecutor::Stop() { impl_->Stop(); }

}  // namespace tikv
