// How other threads reach a loop.
#pragma once

#include <absl/status/status.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/base/callback.h"
#include "lib/rpc/server.h"

namespace tikv::rpc {

// How a call ends, when it is more than plain OK.
struct CallEnd {
  absl::Status status;
  Metadata trailers;
};

// Something that a handler asks of its call.
struct Completion {
  enum class Kind : uint8_t { kReply, kSend, kEnd, kInitialMetadata, kPause, kResume, kOverflow };

  CallRef call;
  Kind kind = Kind::kReply;
  bool framed = false;           // `bytes` starts with room for gRPC's prefix.
  bool compressed = false;       // `bytes` is gzip.
  std::string bytes;             // kReply, kSend.
  std::unique_ptr<CallEnd> end;  // kReply, kEnd: null means OK; kInitialMetadata: in `trailers`.
};

// Queue of completions and tasks of one loop.  Thread-safe; outlives the loop in the hands of calls
// that are still referenced, and drops what comes after Close.  One wake-up per batch, none while
// the loop is awake.
class Mailbox {
 public:
  Mailbox();  // CHECKs that the machine has an eventfd to give.
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void Post(Completion completion);
  // False, and `task` destroyed, after Close.
  bool Post(Task task);

  // For the loop.
  int event_fd() const { return event_fd_; }
  bool empty() const { return !filled_.load(std::memory_order_acquire); }
  // Before the loop blocks: false when there is something to do instead.
  bool PrepareSleep();
  void Awake() { asleep_.store(false, std::memory_order_relaxed); }
  void ClearEvent();
  void Take(std::vector<Completion>* completions, std::vector<Task>* tasks);
  void Close();

 private:
  void WakeLocked();

  const int event_fd_;
  std::atomic<bool> filled_{false};
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  bool closed_ = false;  // Guarded by mutex_, as the rest.
  std::vector<Completion> completions_;
  std::vector<Task> tasks_;
};

}  // namespace tikv::rpc
