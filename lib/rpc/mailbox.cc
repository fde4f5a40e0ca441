#include "lib/rpc/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/check.h"

namespace tikv::rpc {

Mailbox::Mailbox() : event_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK_GE(event_fd_, 0) << "eventfd: " << errno;
}

Mailbox::~Mailbox() { close(event_fd_); }

void Mailbox::WakeLocked() {
  filled_.store(true, std::memory_order_release);
  if (!asleep_.exchange(false, std::memory_order_relaxed)) return;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = write(event_fd_, &one, sizeof(one));
}

void Mailbox::Post(Completion completion) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  completions_.push_back(std::move(completion));
  WakeLocked();
}

bool Mailbox::Post(Task task) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  tasks_.push_back(std::move(task));
  WakeLocked();
  return true;
}

bool Mailbox::PrepareSleep() {
  std::lock_guard lock(mutex_);
  if (filled_.load(std::memory_order_relaxed)) return false;
  asleep_.store(true, std::memory_order_relaxed);
  return true;
}

void Mailbox::ClearEvent() {
  uint64_t count;
  [[maybe_unused]] ssize_t n = read(event_fd_, &count, sizeof(count));
}

void Mailbox::Take(std::vector<Completion>* completions, std::vector<Task>* tasks) {
  std::lock_guard lock(mutex_);
  completions->swap(completions_);
  tasks->swap(tasks_);
  filled_.store(false, std::memory_order_relaxed);
}

void Mailbox::Close() {
  std::vector<Completion> completions;
  std::vector<Task> tasks;
  std::lock_guard lock(mutex_);
  closed_ = true;
  // Destroyed after the lock is released (declared first): they may hold calls whose end posts
  // here.
  completions.swap(completions_);
  tasks.swap(tasks_);
}

}  // namespace tikv::rpc
