// The port through which a replica reaches the other members.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pd/meta/replica/frame.h"
#include "proto/eraftpb.pb.h"

namespace tikv::engine {
class Snapshot;
}

namespace tikv::pd::meta {

// Member id -> its peer URLs.
using PeerUrls = std::map<uint64_t, std::vector<std::string>>;

// Thread-safe.  Sending never blocks; what cannot be sent is dropped (Raft repeats itself, calls
// time out).
class Transport {
 public:
  virtual ~Transport() = default;
  virtual void SetPeers(const PeerUrls& peers) = 0;
  virtual void Send(uint64_t to, const Frame& frame) = 0;
  // Sends the state that `message` (MsgSnapshot) describes, then `done` with whether it arrived;
  // `done` may run on any thread.
  virtual void SendSnapshot(const eraftpb::Message& message,
                            std::shared_ptr<const engine::Snapshot> state,
                            std::function<void(bool)> done) = 0;
};

// Who receives; implemented by the replica.  Thread-safe.
class TransportReceiver {
 public:
  virtual ~TransportReceiver() = default;
  virtual void OnFrame(uint64_t from, Frame frame) = 0;
  // A whole snapshot lies in `path` (see snapshot_file.h); the receiver removes the file.
  virtual void OnSnapshot(eraftpb::Message message, std::string path) = 0;
  virtual void OnUnreachable(uint64_t peer) = 0;
  // Another member says that this one was removed from the cluster.
  virtual void OnRemoved() = 0;
  // Whether frames from this member are welcome.
  virtual bool WasRemoved(uint64_t member) = 0;
};

}  // namespace tikv::pd::meta
