// Inside PdChannel: who leads, which calls wait for a leader, which streams follow it.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/pdchannel/pd_channel.h"

namespace tikv::pdchannel {

// One unary call until it is answered; on the strand only.
struct PendingCall {
  std::string path;  // "": only waits for a leader.
  PdChannel::MakeRequest request;
  MonotonicTime deadline;
  Callback<absl::StatusOr<std::string>> done;
  absl::Status last_error;  // Why it is still here, for the text of the final failure.
  bool finished = false;
  TimerId timer = TimerId::kNone;

  void Finish(absl::StatusOr<std::string> result);
};

// One PdStream.  `stream_` is replaced on the strand and read by senders.
class LeaderStream : public PdStream, public std::enable_shared_from_this<LeaderStream> {
 public:
  LeaderStream(std::string path, std::unique_ptr<PdStreamHandler> handler)
      : path_(std::move(path)), handler_(std::move(handler)) {}
  ~LeaderStream() override;

  bool Send(std::string message) override;

  // On the strand from here on.
  void Open(rpc::Channel* channel, Executor* strand, std::function<void(absl::Status)> on_broken);
  void Cancel();
  bool open() const { return open_; }

 private:
  class Receiver;

  const std::string path_;
  const std::shared_ptr<PdStreamHandler> handler_;
  std::mutex mutex_;
  std::shared_ptr<rpc::ClientStream> stream_;  // Guarded by mutex_.
  bool open_ = false;
  uint64_t generation_ = 0;  // Tells events of the present stream from those of earlier ones.
};

// All methods on the strand, but for the getters.
class PdChannel::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(PdChannelOptions options, rpc::ChannelPool* pool, Executor* strand, Clock* clock);

  void Start(std::shared_ptr<PendingCall> call);
  void AddStream(std::weak_ptr<LeaderStream> stream);
  void Close();

  ClusterId cluster_id() const;
  std::string leader_url() const;
  Executor* strand() const { return strand_; }
  Clock* clock() const { return clock_; }

 private:
  struct Probe;  // One round of GetMembers.

  void Wait(std::shared_ptr<PendingCall> call);
  void Send(std::shared_ptr<PendingCall> call);
  void OnReply(std::shared_ptr<PendingCall> call, const std::string& leader,
               absl::StatusOr<std::string> reply);
  // `leader` did not serve: unless another one is known already, look for it.
  void Suspect(const std::string& leader);
  void StartProbe();
  void OnMembers(const std::shared_ptr<Probe>& probe, const std::string& url,
                 absl::StatusOr<pdpb::GetMembersResponse> reply);
  void OnProbeFailed(const std::shared_ptr<Probe>& probe);
  void SetLeader(const std::string& url);
  void Learn(const pdpb::GetMembersResponse& reply);
  void OpenStreams();
  void OpenStream(const std::shared_ptr<LeaderStream>& stream);
  Duration NextBackoff();

  const PdChannelOptions options_;
  rpc::ChannelPool* const pool_;
  Executor* const strand_;
  Clock* const clock_;

  std::vector<std::string> urls_;          // Known members, the given endpoints first.
  std::shared_ptr<rpc::Channel> channel_;  // To the leader; null while unknown.
  std::string channel_url_;
  bool probing_ = false;
  Duration backoff_{0};
  std::deque<std::shared_ptr<PendingCall>> waiting_;
  std::vector<std::weak_ptr<LeaderStream>> streams_;
  bool closed_ = false;

  mutable std::mutex shared_mutex_;
  ClusterId cluster_id_;    // Guarded by shared_mutex_; written on the strand.
  std::string leader_url_;  // Guarded by shared_mutex_; written on the strand.
};

}  // namespace tikv::pdchannel
