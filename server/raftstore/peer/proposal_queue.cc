#include "server/raftstore/peer/proposal_queue.h"

#include "lib/base/check.h"

namespace tikv::server {

void ProposalQueue::Push(uint64_t term, uint64_t index, std::vector<ProposalDone> waiters) {
  // A new leader may overwrite what an earlier term of this replica proposed.
  while (!queue_.empty() && queue_.back().index >= index) {
    CHECK_LT(queue_.back().term, term);
    Proposal overwritten = std::move(queue_.back());
    queue_.pop_back();
    Fail(std::move(overwritten), &RegionError::StaleCommand);
  }
  queue_.push_back({term, index, std::move(waiters)});
}

std::vector<ProposalDone> ProposalQueue::TakeApplied(uint64_t term, uint64_t index) {
  std::vector<ProposalDone> waiters;
  while (!queue_.empty() && queue_.front().index <= index) {
    Proposal first = std::move(queue_.front());
    queue_.pop_front();
    if (first.index == index && first.term == term) {
      waiters = std::move(first.waiters);
    } else {
      Fail(std::move(first), &RegionError::StaleCommand);
    }
  }
  return waiters;
}

void ProposalQueue::FailAbove(uint64_t commit) {
  std::deque<Proposal> keep;
  std::deque<Proposal> all = std::move(queue_);
  queue_.clear();
  for (Proposal& proposal : all) {
    if (proposal.index <= commit) {
      keep.push_back(std::move(proposal));
    } else {
      Fail(std::move(proposal), &RegionError::StaleCommand);
    }
  }
  queue_ = std::move(keep);
}

void ProposalQueue::FailAll(absl::FunctionRef<RegionError()> error) {
  std::deque<Proposal> all = std::move(queue_);
  queue_.clear();
  for (Proposal& proposal : all) Fail(std::move(proposal), error);
}

void ProposalQueue::Fail(Proposal proposal, absl::FunctionRef<RegionError()> error) {
  for (ProposalDone& done : proposal.waiters) std::move(done)(WriteResult{error(), 0});
}

}  // namespace tikv::server
