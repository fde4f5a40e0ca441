// ProposalQueue: who waits for which entry of a replica's log.
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "lib/base/callback.h"
#include "server/port/replicated_engine.h"

namespace tikv::server {

// Receives the outcome of one proposed entry.
using ProposalDone = Callback<WriteResult>;

// Positions grow.  Raft thread only.
class ProposalQueue {
 public:
  void Push(uint64_t term, uint64_t index, std::vector<ProposalDone> waiters);

  // Takes the waiters of entry (term, index), which is being applied.  Those before it, and those
  // of another term at the same index, were overwritten: they get StaleCommand.
  std::vector<ProposalDone> TakeApplied(uint64_t term, uint64_t index);

  // StaleCommand for everything above `commit`: another leader decides about it now.
  void FailAbove(uint64_t commit);
  void FailAll(absl::FunctionRef<RegionError()> error);

  bool empty() const { return queue_.empty(); }
  size_t size() const { return queue_.size(); }

 private:
  struct Proposal {
    uint64_t term;
    uint64_t index;
    std::vector<ProposalDone> waiters;
  };
  static void Fail(Proposal proposal, absl::FunctionRef<RegionError()> error);

  std::deque<Proposal> queue_;
};

}  // namespace tikv::server
