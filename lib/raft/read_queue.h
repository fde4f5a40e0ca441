// Reads that wait for proof that their leader still leads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/raft/ready.h"

namespace tikv::raft {

// A read is confirmed by any round of heartbeats that started after it was asked and that a quorum
// acknowledged: no other leader had been elected when the round began, so the commit index noted
// at that time covers every write acknowledged before the read.  All reads that come between two
// rounds share one.
class ReadQueue {
 public:
  struct Read {
    uint64_t from;  // the replica that asked
    std::string context;
    uint64_t index = 0;  // the read index, set when its round starts
    uint64_t round = 0;  // 0: waits for a round
  };

  // Dropped when it repeats the one before, or when the queue is full.
  void Add(uint64_t from, std::string context);
  bool HasUnassigned() const { return unassigned_ < reads_.size(); }
  // Round `round` starts now.
  void StartRound(uint64_t round, uint64_t commit_index);
  // Takes out, in order, the reads of rounds up to `round`.
  std::vector<Read> Confirm(uint64_t round);

  bool empty() const { return reads_.empty(); }

 private:
  static constexpr size_t kMaxReads = 1 << 16;

  std::vector<Read> reads_;  // rounds ascending, then those without one
  size_t unassigned_ = 0;    // index of the first without a round
};

}  // namespace tikv::raft
