#include "lib/raft/memory_storage.h"

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/raft/log.h"

namespace tikv::raft {

absl::StatusOr<LogStorage::InitialState> MemoryStorage::Initial() {
  return InitialState{hard_state_, conf_state_};
}

absl::Status MemoryStorage::Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                                    std::vector<eraftpb::Entry>* out) {
  if (low < FirstIndex()) return OutOfRange("entry {} is compacted", low);
  if (high > LastIndex() + 1) return NotFound("entry {} is after the last", high - 1);
  uint64_t bytes = 0;
  for (uint64_t i = low; i < high; ++i) {
    const eraftpb::Entry& entry = entries_[i - FirstIndex()];
    bytes += EntryBytes(entry);
    if (i > low && bytes > max_bytes) break;
    out->push_back(entry);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> MemoryStorage::Term(uint64_t index) {
  if (index + 1 < FirstIndex()) return OutOfRange("entry {} is compacted", index);
  if (index > LastIndex()) return NotFound("entry {} is after the last", index);
  if (index + 1 == FirstIndex()) return snapshot_.metadata().term();
  return entries_[index - FirstIndex()].term();
}

absl::StatusOr<eraftpb::Snapshot> MemoryStorage::Snapshot(uint64_t min_index, uint64_t /*to*/) {
  if (snapshot_.metadata().index() < min_index) {
    return Unavailable("the snapshot at {} is too old", snapshot_.metadata().index());
  }
  return snapshot_;
}

void MemoryStorage::ApplySnapshot(eraftpb::Snapshot snapshot) {
  snapshot_ = std::move(snapshot);
  conf_state_ = snapshot_.metadata().conf_state();
  entries_.clear();
}

void MemoryStorage::Append(const std::vector<eraftpb::Entry>& entries) {
  if (entries.empty()) return;
  const uint64_t first = entries.front().index();
  CHECK(first >= FirstIndex() && first <= LastIndex() + 1) << "append at " << first;
  entries_.resize(first - FirstIndex());
  entries_.insert(entries_.end(), entries.begin(), entries.end());
}

void MemoryStorage::Compact(uint64_t index, const eraftpb::ConfState& state, std::string data) {
  CHECK(index >= FirstIndex() && index <= LastIndex());
  const size_t drop = index + 1 - FirstIndex();
  const uint64_t term = entries_[drop - 1].term();
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(drop));
  eraftpb::SnapshotMetadata* meta = snapshot_.mutable_metadata();
  meta->set_index(index);
  meta->set_term(term);
  *meta->mutable_conf_state() = state;
  snapshot_.set_data(std::move(data));
}

}  // namespace tikv::raft
