// A group of replicas in one thread: the smallest shell around RawNode, for tests.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/env/random.h"
#include "lib/raft/memory_storage.h"
#include "lib/raft/raw_node.h"

namespace tikv::raft {

struct Replica;

// Makes snapshots of the replica's state machine when asked.
class ReplicaStorage : public MemoryStorage {
 public:
  explicit ReplicaStorage(const Replica* replica) : replica_(replica) {}
  absl::StatusOr<eraftpb::Snapshot> Snapshot(uint64_t min_index, uint64_t to) override;

 private:
  const Replica* replica_;
};

// One replica with what a shell adds: a storage, a state machine (the applied entries), and the
// writes that are asked for and not durable yet.
struct Replica {
  std::unique_ptr<ReplicaStorage> storage;
  std::unique_ptr<RawNode> node;
  Config config;
  std::vector<eraftpb::Entry> applied;  // all entries ever applied, by position
  std::string state;                    // what snapshots carry: the data of the entries
  uint64_t applied_index = 0;
  eraftpb::ConfState conf;
  std::vector<ReadState> reads;
  std::deque<Ready> writing;  // taken, not durable
  bool down = false;
};

// Deterministic: a message is delivered when Deliver is called, a write is durable when Persist is.
class Cluster {
 public:
  // Voters 1..n.  `adjust` may change each replica's configuration.
  Cluster(int voters, uint64_t seed, std::function<void(Config*)> adjust = {});

  Replica& at(uint64_t id) { return replicas_.at(id); }
  RawNode& node(uint64_t id) { return *at(id).node; }
  std::map<uint64_t, Replica>& all() { return replicas_; }
  // A new replica that knows nothing yet.
  void Add(uint64_t id);
  // Loses what was not durable, then starts again.
  void Crash(uint64_t id);
  void Restart(uint64_t id);
  // Forgets applied entries up to `index`.
  void Compact(uint64_t id, uint64_t index);

  // Takes one Ready, if any: sends what may be sent, queues the writes.
  bool TakeReady(uint64_t id);
  // Makes the oldest queued write durable, releases its messages and applies what was committed.
  bool Persist(uint64_t id);
  // Delivers the message at `position` in the network.
  void Deliver(size_t position);
  // Everything, until nothing moves.
  void Settle();
  void Tick(uint64_t id) { node(id).Tick(); }
  // Ticks all replicas that are up, and settles, `n` times.
  void TickAll(int n = 1);
  // Lets `id` win an election and settles.
  void Elect(uint64_t id);
  uint64_t leader() const;  // the leader of the largest term; 0 if none

  std::vector<eraftpb::Message>& network() { return network_; }
  // Messages to and from these are lost.
  std::set<uint64_t>& isolated() { return isolated_; }
  // Drops a message if true.
  std::function<bool(const eraftpb::Message&)> filter;
  // Called with every entry applied.
  std::function<void(uint64_t id, const eraftpb::Entry&)> on_apply;
  Random& random() { return random_; }

 private:
  void Send(uint64_t from, std::vector<eraftpb::Message> messages);
  void Apply(uint64_t id, const Ready& ready);
  void Install(Replica* r, const eraftpb::Snapshot& snapshot);

  Random random_;
  std::function<void(Config*)> adjust_;
  std::map<uint64_t, Replica> replicas_;
  std::vector<eraftpb::Message> network_;
  std::set<uint64_t> isolated_;
};

}  // namespace tikv::raft
