#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "lib/env/posix/thread_executor.h"

namespace tikv {

class ThreadPool::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {}

  bool Post(Task&& task, size_t bound) {
    {
      std::lock_guard lock(mutex_);
      if (stopped_ || queue_.size() >= bound) return false;
      queue_.push_back(std::move(task));
      if (idle_ < queue_.size() && threads_.size() < options_.threads) StartThread();
    }
    wake_up_.notify_one();
    return true;
  }

  bool TryPost(Task&& task) { return Post(std::move(task), options_.max_queued); }

  void Stop() {
    {
      std::deque<Task> discarded;  // Destroyed after the lock is released.
      std::lock_guard lock(mutex_);
      stopped_ = true;
      discarded.swap(queue_);
    }
    wake_up_.notify_all();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  void StartThread() {
    threads_.emplace_back([this, name = fmt::format("{}-{}", options_.name, threads_.size())] {
      pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
      Run();
    });
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      wake_up_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      --idle_;
      if (stopped_) return;
      Task task = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      std::move(task)();
      task = nullptr;
      lock.lock();
    }
  }

  const Options options_;
  std::mutex mutex_;
  std::condition_variable wake_up_;
  std::deque<Task> queue_;
  size_t idle_ = 0;
  bool stopped_ = false;
  std::vector<std::thread> threads_;  // Grows under the mutex until stopped.
};

ThreadPool::ThreadPool(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
ThreadPool::~ThreadPool() { Stop(); }
void ThreadPool::Post(Task task) { impl_->Post(std::move(task), SIZE_MAX); }
bool ThreadPool::TryPost(Task&& task) { return impl_->TryPost(std::move(task)); }
void ThreadPool::Stop() { impl_->Stop(); }

}  // namespace tikv
