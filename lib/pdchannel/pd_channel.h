// PdChannel: talks to whichever member of PD leads.
//
//   PdChannel pd(options, &channel_pool, &strand, &clock, seed);
//   Call<pdpb::GetStoreResponse>(pd, "/pdpb.PD/GetStore", request, 3s, [](auto reply) {});
//
// Shared by stores and by the C++ driver; knows nothing of either.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/callback.h"
#include "lib/base/status.h"
#include "lib/base/strong_id.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/rpc/typed.h"
#include "proto/pdpb.pb.h"

namespace tikv::pdchannel {

// Where PD is, and how patient to be.
struct PdChannelOptions {
  // "host:port" or URLs, of any members; the others are learned from them.
  std::vector<std::string> endpoints;
  // One attempt of a unary call: a member that hangs must not eat the whole deadline.
  Duration attempt_timeout = std::chrono::seconds(2);
  // GetMembers, asked of all known members at once.
  Duration probe_timeout = std::chrono::seconds(1);
  // Pause before the members are asked again; doubles from min to max.
  Duration min_backoff = std::chrono::milliseconds(20);
  Duration max_backoff = std::chrono::milliseconds(300);
  size_t max_waiting_calls = 10'000;
};

// Events of a PdStream; all on the channel's strand.
class PdStreamHandler {
 public:
  virtual ~PdStreamHandler() = default;
  // A new stream stands; what earlier ones had under way is lost.
  virtual void OnOpen() = 0;
  virtual void OnMessage(std::string_view message) = 0;
  // The stream broke; another attempt follows by itself.
  virtual void OnBroken(const absl::Status& reason) = 0;
};

// A stream to the leader that is opened again, after a pause, whenever it breaks or another member
// leads.  Thread-safe.  Dropping the last reference ends it; its handler hears nothing afterwards.
class PdStream {
 public:
  virtual ~PdStream() = default;
  // False, without effect, while no stream stands or too much waits to be sent.
  virtual bool Send(std::string message) = 0;
};

// Thread-safe; nothing blocks.  Callbacks run on `strand`.  What fails because of a leader change
// (UNAVAILABLE, "not leader", a hanging member, a broken connection) is tried again with the next
// leader until the call's deadline; requests must bear being repeated.  The pool, strand and clock
// must outlive it.
class PdChannel {
 public:
  PdChannel(PdChannelOptions options, rpc::ChannelPool* pool, Executor* strand, Clock* clock);
  // Answers what is under way with CANCELLED.
  ~PdChannel();
  PdChannel(const PdChannel&) = delete;
  PdChannel& operator=(const PdChannel&) = delete;

  // 0 until a member has answered.
  ClusterId cluster_id() const;
  // Client URL of the leader as last known; "" while unknown.
  std::string leader_url() const;

  // Calls back once a leader has been found, or with why not when `timeout` has passed.
  void WaitForLeader(Duration timeout, Callback<absl::Status> done);

  // `request` makes the message when a leader is known, for the cluster id to go into its header.
  using MakeRequest = std::function<std::string(ClusterId)>;
  void Unary(std::string path, MakeRequest request, Duration timeout,
             Callback<absl::StatusOr<std::string>> done);

  std::shared_ptr<PdStream> OpenStream(std::string path, std::unique_ptr<PdStreamHandler> handler);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// What an error in a reply's header means: NotFound, AlreadyExists, FailedPrecondition, Unknown;
// OK without one.
absl::Status HeaderStatus(const pdpb::ResponseHeader& header);

// A typed call; fills in the request's header and turns the reply's header into a status.
template <class Response, class Request>
void Call(PdChannel& channel, std::string path, Request request, Duration timeout,
          Callback<absl::StatusOr<Response>> done) {
  auto make = [request = std::move(request)](ClusterId id) mutable {
    request.mutable_header()->set_cluster_id(id.value);
    return rpc::SerializeBytes(request);
  };
  channel.Unary(path, std::move(make), timeout,
                [path, done = std::move(done)](absl::StatusOr<std::string> bytes) mutable {
                  if (!bytes.ok()) return std::move(done)(bytes.status());
                  Response response;
                  absl::Status s = rpc::ParseMessage(*bytes, path, &response);
                  if (s.ok()) s = HeaderStatus(response.header());
                  if (!s.ok()) return std::move(done)(std::move(s));
                  std::move(done)(std::move(response));
                });
}

}  // namespace tikv::pdchannel
