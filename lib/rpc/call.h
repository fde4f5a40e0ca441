// One call: an HTTP/2 stream while it is open, and what handles keep of it afterwards.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lib/rpc/gzip.h"
#include "lib/rpc/loop.h"
#include "lib/rpc/mailbox.h"
#include "lib/rpc/message_reader.h"
#include "lib/rpc/request_rules.h"
#include "lib/rpc/server.h"

namespace tikv::rpc {

class Connection;
struct ServerState;

// What a path leads to.
struct Method {
  UnaryHandler unary;    // Set for unary methods,
  StreamFactory stream;  // else this is.
};

// Request metadata in one allocation; views stay valid once the headers are complete.
class MetadataStore {
 public:
  void Add(std::string_view key, std::string_view value);
  std::optional<std::string_view> Find(std::string_view key) const;
  Metadata Copy() const;
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    uint32_t key_at, key_size, value_at, value_size;
  };
  std::string_view Key(const Entry& e) const {
    return std::string_view(bytes_).substr(e.key_at, e.key_size);
  }
  std::string_view Value(const Entry& e) const {
    return std::string_view(bytes_).substr(e.value_at, e.value_size);
  }
  std::string bytes_;
  std::vector<Entry> entries_;
};

// A message on its way out.
struct OutMessage {
  std::string bytes;
  bool raw = false;  // Sent as it is; else after `prefix`.
  char prefix[MessageReader::kPrefixBytes] = {};
  size_t sent = 0;

  size_t size() const { return bytes.size() + (raw ? 0 : sizeof(prefix)); }
};

// First in, first out, with one allocation for the common case of one message.
class OutQueue {
 public:
  bool empty() const { return head_ == messages_.size(); }
  void Push(OutMessage message) { messages_.push_back(std::move(message)); }
  size_t bytes() const { return bytes_; }
  void AddBytes(size_t n) { bytes_ += n; }
  // Appends the next n bytes to `out`.  REQUIRES: n <= bytes().
  void Take(size_t n, std::string* out);
  void Clear();

 private:
  std::vector<OutMessage> messages_;
  size_t head_ = 0;
  size_t bytes_ = 0;
};

// Reference-counted: the connection holds one reference while the stream is open, handles hold the
// others.  Fields are grouped by who may touch them.
class Call final : public Timer {
 public:
  Call(std::shared_ptr<ServerState> server, std::shared_ptr<Mailbox> mailbox, const Loop* loop,
       Connection* connection, int32_t stream_id);

  uint32_t refs() const { return refs_.load(std::memory_order_acquire); }
  void AddRef() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Release() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // Hands a completion to the loop: at once when called on it.  Thread-safe.
  void Deliver(Completion completion);
  // Wins for the one caller who may answer.
  bool ClaimAnswer() { return !answered.exchange(true, std::memory_order_acq_rel); }
  // Nobody waits any more: sets `cancelled` and runs the task.
  void MarkCancelled();
  void SetCancelTask(Task task);
  void DropCancelTask();
  void OnTimer() override;  // The deadline.

  // --- Immutable once the handler has the call.
  const std::shared_ptr<ServerState> server;
  const std::shared_ptr<Mailbox> mailbox;
  const Loop* const loop;  // Only to compare; may be gone.
  std::shared_ptr<const std::string> peer;
  std::string path;
  MetadataStore metadata;
  int64_t deadline_ns = 0;  // 0: none.
  bool accepts_gzip = false;

  // --- Any thread.
  std::atomic<bool> answered{false};
  std::atomic<bool> cancelled{false};
  std::atomic<bool> abandoned{false};  // Counted in ServerState::abandoned.
  std::atomic<bool> overflowed{false};
  std::atomic<size_t> pending{0};               // Bytes of output not yet taken by the connection.
  std::atomic<size_t> compress_from{SIZE_MAX};  // Messages of at least this size go out as gzip.

  // --- The loop.
  Connection* connection;  // Null once the stream is closed.
  const int32_t stream_id;
  Call* previous = nullptr;  // The connection's list.
  Call* next = nullptr;
  const Method* method = nullptr;
  std::unique_ptr<StreamHandler> handler;

  // Request side.
  RequestRules rules;
  bool malformed = false;  // Breaks HTTP/2's rules: its stream is reset.
  size_t header_bytes = 0;
  size_t header_count = 0;
  uint16_t http_error = 0;  // Answer with this HTTP status instead of gRPC.
  absl::Status refused;     // Answer with this without a handler.
  bool is_post = false;
  bool is_grpc = false;
  bool headers_done = false;
  bool discard = false;          // Ignore further request bytes.
  bool half_closed = false;      // The client has said all.
  bool peer_reset = false;       // The client sent RST_STREAM.
  bool half_close_told = false;  // ... and the handler knows.
  bool has_request = false;      // Unary: request is complete but for END_STREAM.
  bool dispatched = false;       // Unary: the handler has been called.
  bool paused = false;
  bool delivering = false;  // The handler is being given messages, further up the stack.
  bool unstable = false;    // In the connection's list of the same name.
  bool parked = false;
  bool gzip = false;
  bool message_compressed = false;      // The last one.
  std::unique_ptr<Inflater> inflating;  // A large message that is still compressed.
  bool granted = false;                 // May hold a message larger than its window.
  bool wants_grant = false;
  MessageReader reader;
  std::string_view request;  // Unary; in `owned` or, within one read, in the read buffer.
  std::string owned;
  std::string backlog;  // Streaming: received while paused or parked.
  size_t backlog_at = 0;
  size_t unconsumed = 0;  // Received, credit not yet returned.
  size_t charged = 0;     // Bytes counted as unfinished.
  size_t grant_bytes = 0;
  int64_t stall_since_ns = 0;  // Start of the current stall window; 0: not waiting for bytes.
  size_t stall_bytes = 0;      // Received in it.

  // Response side.
  OutQueue out;
  bool headers_sent = false;  // Submitted.
  bool announce_gzip = false;
  bool deferred = false;  // nghttp2 waits for more output.
  bool ended = false;
  bool end_stream_sent = false;
  bool raw_body = false;         // A plain HTTP answer, without trailers.
  bool drained = false;          // Owed an OnDrained.
  std::unique_ptr<CallEnd> end;  // Null: OK.
  std::unique_ptr<Metadata> initial_metadata;
  absl::Status close_reason;  // When we know better than the stream's error code.

 private:
  ~Call() override;

  std::atomic<uint32_t> refs_{0};
  std::mutex cancel_mutex_;
  bool cancel_done_ = false;  // Guarded by cancel_mutex_, as the next.
  Task cancel_task_;
};

}  // namespace tikv::rpc
