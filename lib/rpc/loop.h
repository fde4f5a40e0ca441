// One event-loop thread and the connections that it owns.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lib/rpc/mailbox.h"
#include "lib/rpc/timer_heap.h"

struct epoll_event;

namespace tikv::rpc {

class Connection;

// Receives readiness of a file descriptor, on the loop.
class EventSource {
 public:
  virtual ~EventSource() = default;
  virtual void OnEvents(uint32_t events) = 0;
};

// A turn of the loop: wait for events, let connections read (handlers run in there), take
// completions, fire timers, then let every connection that has output send once.  Everything runs
// on the loop's thread except Start, Stop and mailbox().
class Loop {
 public:
  Loop(std::string name, std::chrono::microseconds spin);
  ~Loop();

  void Start();
  // Closes the connections and joins.  Idempotent.
  void Stop();
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  bool InThread() const;

  // Nanoseconds of the steady clock at the start of this step.
  int64_t now_ns() const { return now_ns_; }
  TimerHeap& timers() { return timers_; }
  // Shared by all connections of the loop, so that idle ones hold no buffers.
  std::string& read_buffer() { return read_buffer_; }
  std::string& write_buffer() { return write_buffer_; }

  void Watch(int fd, uint32_t events, EventSource* source);
  void Rewatch(int fd, uint32_t events, EventSource* source);
  void Unwatch(int fd);

  // The loop owns the connection until it is closed.
  void Adopt(std::unique_ptr<Connection> connection);
  const std::vector<Connection*>& connections() const { return connections_; }
  // Called once per connection when it closes: destroys it after this turn.
  void Retire(Connection* connection);
  // Has the connection flush at the end of this turn.
  void MarkDirty(Connection* connection);

 private:
  void Run();
  int Wait(epoll_event* events, int capacity);
  bool SpinPays();
  void TakeMail();
  void FlushDirty();
  void UpdateNow();

  const std::string name_;
  const int64_t spin_ns_;
  std::shared_ptr<Mailbox> mailbox_;
  int epoll_fd_ = -1;
  std::thread thread_;
  bool stopping_ = false;

  int64_t now_ns_ = 0;
  bool had_work_ = false;
  int spin_credit_ = 0;  // Rises when polling found work in time, falls when it did not.
  uint32_t sleeps_ = 0;
  TimerHeap timers_;
  std::vector<Connection*> connections_;
  std::vector<Connection*> dirty_;
  std::vector<std::unique_ptr<Connection>> retired_;
  std::vector<Completion> completions_;
  std::vector<Task> tasks_;
  std::string read_buffer_;
  std::string write_buffer_;
};

}  // namespace tikv::rpc
