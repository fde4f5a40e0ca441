#include "lib/rpc/loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/rpc/connection.h"

namespace tikv::rpc {
namespace {

constexpr size_t kReadBufferBytes = 128 << 10;
constexpr int kMaxEvents = 128;
constexpr int kMaxSpinCredit = 8;
// While polling does not pay, every so many sleeps it gets another chance.
constexpr uint32_t kSpinRetry = 64;

thread_local const Loop* current_loop = nullptr;

int64_t SteadyNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Loop::Loop(std::string name, std::chrono::microseconds spin)
    : name_(std::move(name)),
      spin_ns_(std::chrono::nanoseconds(spin).count()),
      mailbox_(std::make_shared<Mailbox>()),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  CHECK_GE(epoll_fd_, 0) << "epoll_create1: " << errno;
  read_buffer_.resize(kReadBufferBytes);
  Watch(mailbox_->event_fd(), EPOLLIN, nullptr);
  UpdateNow();
}

Loop::~Loop() {
  Stop();
  close(epoll_fd_);
}

void Loop::Start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    current_loop = this;
    Run();
    current_loop = nullptr;
  });
}

void Loop::Stop() {
  if (!thread_.joinable()) return;
  mailbox_->Post(Task([this] { stopping_ = true; }));
  thread_.join();
}

bool Loop::InThread() const { return current_loop == this; }

void Loop::UpdateNow() { now_ns_ = SteadyNanos(); }

void Loop::Watch(int fd, uint32_t events, EventSource* source) {
  epoll_event event{.events = events, .data = {.ptr = source}};
  CHECK_EQ(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event), 0) << "epoll_ctl add: " << errno;
}

void Loop::Rewatch(int fd, uint32_t events, EventSource* source) {
  epoll_event event{.events = events, .data = {.ptr = source}};
  CHECK_EQ(epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event), 0) << "epoll_ctl mod: " << errno;
}

void Loop::Unwatch(int fd) { epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }

void Loop::Adopt(std::unique_ptr<Connection> connection) {
  Connection* raw = connection.release();
  raw->set_loop_index(connections_.size());
  connections_.push_back(raw);
  raw->Start();
}

void Loop::Retire(Connection* connection) {
  size_t i = connection->loop_index();
  connections_[i] = connections_.back();
  connections_[i]->set_loop_index(i);
  connections_.pop_back();
  std::erase(dirty_, connection);
  retired_.emplace_back(connection);
}

void Loop::MarkDirty(Connection* connection) {
  if (connection->TestAndSetDirty()) return;
  dirty_.push_back(connection);
}

void Loop::Run() {
  epoll_event events[kMaxEvents];
  while (!stopping_) {
    int n = Wait(events, kMaxEvents);
    UpdateNow();
    had_work_ = n > 0;
    for (int i = 0; i < n; ++i) {
      auto* source = static_cast<EventSource*>(events[i].data.ptr);
      source == nullptr ? mailbox_->ClearEvent() : source->OnEvents(events[i].events);
    }
    TakeMail();
    timers_.Fire(now_ns_);
    FlushDirty();
    retired_.clear();
  }
  while (!connections_.empty()) connections_.back()->Close(Connection::CloseReason::kServerStopped);
  mailbox_->Close();
  retired_.clear();
}

bool Loop::SpinPays() { return spin_ns_ > 0 && (spin_credit_ > 0 || ++sleeps_ % kSpinRetry == 0); }

// A sleep and its wake-up cost more than the time until the next request of a busy client, so poll
// a little first.  Only after a turn with work, and only while that has been finding some: an idle
// or slowly driven loop costs nothing.
int Loop::Wait(epoll_event* events, int capacity) {
  if (!dirty_.empty() || !mailbox_->empty()) return epoll_wait(epoll_fd_, events, capacity, 0);
  if (had_work_ && SpinPays()) {
    int64_t until = SteadyNanos() + spin_ns_;
    do {
      int n = epoll_wait(epoll_fd_, events, capacity, 0);
      if (n > 0 || !mailbox_->empty()) {
        spin_credit_ = std::min(spin_credit_ + 1, kMaxSpinCredit);
        return std::max(n, 0);
      }
    } while (SteadyNanos() < until);
    spin_credit_ = std::max(spin_credit_ - 1, 0);
  }
  if (!mailbox_->PrepareSleep()) return epoll_wait(epoll_fd_, events, capacity, 0);
  int64_t due = timers_.next_due_ns();
  int timeout = -1;
  if (due != INT64_MAX) {
    int64_t ms = (due - SteadyNanos() + 999'999) / 1'000'000;
    timeout = static_cast<int>(std::clamp<int64_t>(ms, 0, 3'600'000));
  }
  int n = epoll_wait(epoll_fd_, events, capacity, timeout);
  mailbox_->Awake();
  return std::max(n, 0);
}

void Loop::TakeMail() {
  if (mailbox_->empty()) return;
  had_work_ = true;
  mailbox_->Take(&completions_, &tasks_);
  for (Completion& completion : completions_) Connection::Apply(std::move(completion));
  completions_.clear();
  for (Task& task : tasks_) std::move(task)();
  tasks_.clear();
}

void Loop::FlushDirty() {
  // A flush may mark its connection again, for the next turn: others come first.
  std::vector<Connection*> dirty;
  dirty.swap(dirty_);
  for (Connection* connection : dirty) connection->Flush();
  dirty.clear();
  if (dirty_.empty()) dirty_.swap(dirty);  // Keeps the allocation.
}

}  // namespace tikv::rpc
