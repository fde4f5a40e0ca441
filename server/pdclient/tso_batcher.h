// Gathers timestamp requests into one message at a time on one stream.
#pragma once

#include <deque>
#include <memory>
#include <mutex>

#include "lib/pdchannel/pd_channel.h"
#include "server/pdclient/pd_client.h"

namespace tikv::server {

// Thread-safe; callbacks run on the channel's strand.  While no stream stands requests wait, up to
// a bound; what is under way when a stream breaks fails with Unavailable.
class TsoBatcher : public std::enable_shared_from_this<TsoBatcher> {
 public:
  explicit TsoBatcher(pdchannel::PdChannel* channel) : channel_(channel) {}

  void Start();  // Once, after construction by make_shared.
  void Get(Callback<absl::StatusOr<Timestamp>> done);

 private:
  class Handler;
  using Waiting = std::deque<Callback<absl::StatusOr<Timestamp>>>;

  void SendNext();
  void OnMessage(std::string_view message);
  void OnOpen();
  void OnBroken(const absl::Status& reason);

  pdchannel::PdChannel* const channel_;
  std::shared_ptr<pdchannel::PdStream> stream_;
  std::mutex mutex_;
  Waiting queued_;  // Guarded by mutex_.
  Waiting flying_;  // Guarded by mutex_; answered by the next message.
};

}  // namespace tikv::server
