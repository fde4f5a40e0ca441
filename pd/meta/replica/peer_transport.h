// Transport over gRPC streams between the members' peer ports.
//
//   /tikv.pd.meta.Peer/Messages   stream of frames (frame.h), one direction
//   /tikv.pd.meta.Peer/Snapshot   MsgSnapshot, then chunks (snapshot_file.h); answered once stored
//   /tikv.pd.meta.Peer/Members    unary: an etcdserverpb.MemberListResponse
//
// Each stream names cluster, sender and receiver in its metadata, so that a member that was
// started with another cluster's addresses harms nobody.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/env/file_system.h"
#include "pd/meta/replica/transport.h"

namespace tikv::rpc {
class ChannelPool;
class Server;
}  // namespace tikv::rpc

namespace tikv::pd::meta {

// Who this member is, and where received snapshots go.
struct PeerTransportOptions {
  uint64_t cluster_id = 0;
  uint64_t member_id = 0;
  std::string snapshot_dir;  // For what is being received; emptied at start.
};

// What the transport works with; all outlive it.
struct PeerTransportDeps {
  Clock* clock = nullptr;
  FileSystem* fs = nullptr;
  rpc::ChannelPool* channels = nullptr;
  Executor* files = nullptr;   // Writes received snapshots.
  TaskRunner* pool = nullptr;  // Reads those that are sent.
};

// Thread-safe.  Everything passed in outlives the object.
class PeerTransport final : public Transport {
 public:
  PeerTransport(PeerTransportOptions options, PeerTransportDeps deps);
  ~PeerTransport() override;

  // Serves the other members on their streams; before the server listens.
  void Register(rpc::Server* server);
  // Messages received before this are dropped.
  void SetReceiver(TransportReceiver* receiver);
  // Closes all streams; nothing reaches the receiver any more once the server has stopped too.
  void Stop();

  void SetPeers(const PeerUrls& peers) override;
  void Send(uint64_t to, const Frame& frame) override;
  void SendSnapshot(const eraftpb::Message& message, std::shared_ptr<const engine::Snapshot> state,
                    std::function<void(bool)> done) override;

  // For the classes that serve streams.
  struct Shared;

 private:
  class Link;

  const PeerTransportOptions options_;
  const PeerTransportDeps deps_;
  const std::shared_ptr<Shared> shared_;

  std::mutex mutex_;
  std::map<uint64_t, std::shared_ptr<Link>> links_;
  bool stopped_ = false;
};

inline constexpr char kPeerMembersPath[] = "/tikv.pd.meta.Peer/Members";

}  // namespace tikv::pd::meta
