#include "server/raftstore/peer/read_queue.h"

#include <algorithm>

#include "lib/base/bytes.h"

namespace tikv::server {

std::optional<std::string> ReadQueue::StartBatch(MonotonicTime now) {
  if (fresh_.empty()) return std::nullopt;
  std::string context;
  PutBig64(&context, peer_id_);
  PutBig64(&context, next_++);
  batches_.push_back({context, now, 0, std::move(fresh_)});
  fresh_.clear();
  return context;
}

std::vector<std::string> ReadQueue::Overdue(MonotonicTime before, MonotonicTime now) {
  std::vector<std::string> contexts;
  for (Batch& batch : batches_) {
    if (batch.index != 0 || batch.asked > before) continue;
    batch.asked = now;
    contexts.push_back(batch.context);
  }
  return contexts;
}

void ReadQueue::OnIndex(std::string_view context, uint64_t index) {
  for (Batch& batch : batches_) {
    if (batch.context == context && batch.index == 0) batch.index = index;
  }
}

std::vector<PendingRead> ReadQueue::TakeReady(uint64_t applied) {
  std::vector<PendingRead> ready;
  for (auto it = batches_.begin(); it != batches_.end();) {
    if (it->index == 0 || it->index > applied) {
      ++it;
      continue;
    }
    std::move(it->reads.begin(), it->reads.end(), std::back_inserter(ready));
    it = batches_.erase(it);
  }
  return ready;
}

void ReadQueue::FailIf(absl::FunctionRef<RegionError(const RequestHeader&)> fails) {
  auto sweep = [&](std::vector<PendingRead>* reads) {
    std::vector<PendingRead> keep;
    for (PendingRead& read : *reads) {
      if (RegionError error = fails(read.header)) {
        std::move(read.done)(ReadResult{std::move(error), {}});
      } else {
        keep.push_back(std::move(read));
      }
    }
    *reads = std::move(keep);
  };
  sweep(&fresh_);
  for (Batch& batch : batches_) sweep(&batch.reads);
  std::erase_if(batches_, [](const Batch& batch) { return batch.reads.empty(); });
}

size_t ReadQueue::size() const {
  size_t n = fresh_.size();
  for (const Batch& batch : batches_) n += batch.reads.size();
  return n;
}

}  // namespace tikv::server
