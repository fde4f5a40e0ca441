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
      if (idle_ < queue_.size() && running_ < options_.threads) StartThread();
    }
    wake_up_.notify_one();
    return true;
  }

  bool TryPost(Task&& task) {
    std::unique_lock lock(mutex_);
    const size_t bound = options_.max_queued;
    lock.unlock();
    return Post(std::move(task), bound);
  }

  size_t queued() {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }

  void Resize(size_t threads, size_t max_queued) {
    {
      std::lock_guard lock(mutex_);
      options_.threads = threads;
      options_.max_queued = max_queued;
      for (size_t i = idle_; !stopped_ && i < queue_.size() && running_ < threads; ++i) {
        StartThread();
      }
    }
    wake_up_.notify_all();
  }

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
    ++running_;
    threads_.emplace_back([this, name = fmt::format("{}-{}", options_.name, threads_.size())] {
      pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
      Run();
    });
  }

  void Run() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      wake_up_.wait(lock,
                    [this] { return stopped_ || !queue_.empty() || running_ > options_.threads; });
      --idle_;
      if (stopped_) return;
      if (running_ > options_.threads) {
        --running_;
        wake_up_.notify_one();  // What this one was woken for.
        return;
      }
      Task task = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      std::move(task)();
      task = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  Options options_;
  std::condition_variable wake_up_;
  std::deque<Task> queue_;
  size_t idle_ = 0;
  size_t running_ = 0;  // Threads that have not ended.
  bool stopped_ = false;
  std::vector<std::thread> threads_;  // Grows under the mutex until stopped.
};

ThreadPool::ThreadPool(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
ThreadPool::~ThreadPool() { Stop(); }
void ThreadPool::Post(Task task) { impl_->Post(std::move(task), SIZE_MAX); }
bool ThreadPool::TryPost(Task&& task) { return impl_->TryPost(std::move(task)); }
void ThreadPool::Resize(size_t threads, size_t max_queued) { impl_->Resize(threads, max_queued); }
size_t ThreadPool::queued() const { return impl_->queued(); }
void ThreadPool::Stop() { impl_->Stop(); }

}  // namespace tikv
