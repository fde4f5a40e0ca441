// One BatchCommands stream to one store.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/driver/ports.h"
#include "lib/env/clock.h"
#include "lib/rpc/channel.h"

namespace tikv::client {

// Commands that arrive while a message is being written wait and leave together in the next one:
// alone a command costs a message, under load a message carries many.  Thread-safe.
//
// The stream opens with the first command, and again after it broke; what was under way then ends
// with Unavailable.
class BatchStream : public std::enable_shared_from_this<BatchStream> {
 public:
  BatchStream(std::shared_ptr<rpc::Channel> channel, Clock* clock)
      : channel_(std::move(channel)), clock_(clock) {}

  void Call(StoreTransport::BatchRequest request, std::chrono::milliseconds timeout,
            Callback<absl::StatusOr<StoreTransport::BatchResponse>> done);
  // Ends commands whose time is up with DeadlineExceeded.
  void Expire();
  // Ends all with Cancelled; later calls too.
  void Close();

 private:
  struct Waiting {
    MonotonicTime deadline;
    Callback<absl::StatusOr<StoreTransport::BatchResponse>> done;
  };
  class Handler;

  static constexpr int kMaxPerMessage = 256;

  void OnMessage(uint64_t generation, std::string_view message);
  void OnClosed(uint64_t generation, const absl::Status& status);
  void OnDrained(uint64_t generation);
  void OpenLocked();
  void FlushLocked();
  std::vector<Waiting> TakeAllLocked();

  std::shared_ptr<rpc::Channel> channel_;
  Clock* clock_;

  std::mutex mutex_;  // Guards what follows.  Never held while a callback runs.
  bool closed_ = false;
  std::shared_ptr<rpc::ClientStream> stream_;
  uint64_t generation_ = 0;  // Of `stream_`: late events of an older one are ignored.
  bool writing_ = false;     // A message is on its way into the socket.
  uint64_t next_id_ = 1;
  tikvpb::BatchCommandsRequest queued_;
  std::unordered_map<uint64_t, Waiting> waiting_;  // By request id.
};

}  // namespace tikv::client
