// An omniscient observer of a Cluster that knows what Raft promises.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "lib/raft/testing/cluster.h"

namespace tikv::raft {

// Call Watch() once, then Check() after every event; both CHECK.  The numbers are those of the
// project's list of always-on invariants:
//   I1 one leader per term; I2 a leader only appends; I3 logs that agree at (index, term) agree
//   before it; I4 a leader holds every committed entry; I5 all replicas apply the same; I6 what is
//   committed is durable on a quorum; I7 one vote per term, over crashes; I8 no message promises
//   what is not durable; I9 commit and applied only grow; I11 no snapshot below the commit index.
class Ledger {
 public:
  explicit Ledger(Cluster* cluster) : c_(cluster) {}

  void Watch();
  void Check();
  uint64_t committed() const { return committed_.empty() ? 1 : committed_.rbegin()->first; }

 private:
  struct Seen {
    uint64_t term = 0;
    uint64_t commit = 0;
    uint64_t last = 0;  // of a leader
    bool leader = false;
    eraftpb::ConfState conf;
  };

  void OnSend(const eraftpb::Message& m);
  void OnApply(const eraftpb::Entry& entry);
  void CheckLeader(uint64_t id, const Seen& before);
  bool QuorumHolds(const eraftpb::ConfState& conf, uint64_t index);
  void CheckLogsMatch();

  Cluster* c_;
  std::map<uint64_t, uint64_t> leaders_;                            // term -> id
  std::map<uint64_t, std::pair<uint64_t, std::string>> committed_;  // index -> term, data
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> votes_;         // (voter, term) -> candidate
  std::map<uint64_t, Seen> seen_;
  uint64_t checks_ = 0;
};

}  // namespace tikv::raft
