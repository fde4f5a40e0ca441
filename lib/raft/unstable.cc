#include "lib/raft/unstable.h"

#include <algorithm>
#include <iterator>

#include "lib/base/check.h"
#include "lib/raft/text.h"

namespace tikv::raft {

std::optional<uint64_t> Unstable::Term(uint64_t index) const {
  if (index >= offset_) {
    if (index - offset_ >= entries_.size()) return std::nullopt;
    return entries_[index - offset_].term();
  }
  if (snapshot_ != nullptr && snapshot_->metadata().index() == index) {
    return snapshot_->metadata().term();
  }
  return std::nullopt;
}

void Unstable::NewEntries(std::vector<eraftpb::Entry>* out) const {
  out->insert(out->end(), entries_.begin() + static_cast<ptrdiff_t>(offset_in_progress_ - offset_),
              entries_.end());
}

void Unstable::Accept() {
  offset_in_progress_ = offset_ + entries_.size();
  if (snapshot_ != nullptr) snapshot_in_progress_ = true;
}

void Unstable::StableTo(uint64_t index, uint64_t term) {
  const std::optional<uint64_t> ours = Term(index);
  if (!ours.has_value()) {
    RAFT_TELL(events_, kInfo, "entry at index {} missing from unstable log; ignoring", index);
    return;
  }
  if (index < offset_) {
    RAFT_TELL(events_, kInfo, "entry at index {} matched unstable snapshot; ignoring", index);
    return;
  }
  if (*ours != term) {
    RAFT_TELL(events_, kInfo,
              "entry at (index,term)=({},{}) mismatched with entry at ({},{}) in unstable log; "
              "ignoring",
              index, term, index, *ours);
    return;
  }
  const size_t stable = index + 1 - offset_;
  if (stable == entries_.size()) {
    std::vector<eraftpb::Entry>().swap(entries_);  // an idle log holds no memory
  } else {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(stable));
  }
  offset_ = index + 1;
  offset_in_progress_ = std::max(offset_in_progress_, offset_);
}

void Unstable::SnapshotStable(uint64_t index) {
  if (snapshot_ != nullptr && snapshot_->metadata().index() == index) {
    snapshot_.reset();
    snapshot_in_progress_ = false;
  }
}

void Unstable::TruncateAndAppend(std::vector<eraftpb::Entry> entries) {
  const uint64_t from = entries.front().index();
  CHECK_LE(from, offset_ + entries_.size()) << "a gap in the log";
  if (from <= offset_) {
    if (from < offset_ || !entries_.empty()) {
      RAFT_TELL(events_, kInfo, "replace the unstable entries from index {}", from);
    }
    entries_ = std::move(entries);
    offset_ = from;
    offset_in_progress_ = from;
    return;
  }
  if (from < offset_ + entries_.size()) {
    RAFT_TELL(events_, kInfo, "truncate the unstable entries before index {}", from);
    entries_.resize(from - offset_);
    offset_in_progress_ = std::min(offset_in_progress_, from);
  }
  entries_.insert(entries_.end(), std::make_move_iterator(entries.begin()),
                  std::make_move_iterator(entries.end()));
}

void Unstable::Restore(eraftpb::Snapshot snapshot) {
  offset_ = snapshot.metadata().index() + 1;
  offset_in_progress_ = offset_;
  std::vector<eraftpb::Entry>().swap(entries_);
  snapshot_ = std::make_unique<eraftpb::Snapshot>(std::move(snapshot));
  snapshot_in_progress_ = false;
}

}  // namespace tikv::raft
