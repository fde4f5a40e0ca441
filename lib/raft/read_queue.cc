#include "lib/raft/read_queue.h"

#include <algorithm>
#include <iterator>

namespace tikv::raft {

void ReadQueue::Add(uint64_t from, std::string context) {
  if (reads_.size() >= kMaxReads) return;
  // Only among those without a round: a repeated request may be a retry whose first round was
  // lost, and searching the whole queue would make a burst of reads quadratic.
  if (HasUnassigned() && reads_.back().from == from && reads_.back().context == context) return;
  reads_.push_back({from, std::move(context)});
}

void ReadQueue::StartRound(uint64_t round, uint64_t commit_index) {
  for (; unassigned_ < reads_.size(); ++unassigned_) {
    reads_[unassigned_].round = round;
    reads_[unassigned_].index = commit_index;
  }
}

std::vector<ReadQueue::Read> ReadQueue::Confirm(uint64_t round) {
  const auto assigned_end = reads_.begin() + static_cast<ptrdiff_t>(unassigned_);
  const auto end = std::find_if(reads_.begin(), assigned_end,
                                [&](const Read& read) { return read.round > round; });
  std::vector<Read> out(std::make_move_iterator(reads_.begin()), std::make_move_iterator(end));
  unassigned_ -= out.size();
  reads_.erase(reads_.begin(), end);
  if (reads_.empty()) std::vector<Read>().swap(reads_);
  return out;
}

}  // namespace tikv::raft
