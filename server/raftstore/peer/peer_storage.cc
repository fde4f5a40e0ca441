#include "server/raftstore/peer/peer_storage.h"

#include <algorithm>

#include "lib/base/status.h"
#include "lib/engine/engine.h"

namespace tikv::server {
namespace {

// A replica added after the snapshot was taken would not find itself in it.
bool Includes(const eraftpb::ConfState& conf, uint64_t peer) {
  auto in = [&](const auto& ids) { return std::find(ids.begin(), ids.end(), peer) != ids.end(); };
  return in(conf.voters()) || in(conf.learners()) || in(conf.voters_outgoing()) ||
         in(conf.learners_next());
}

}  // namespace

PeerStorage::PeerStorage(raftlog::RaftLog* log, uint64_t region_id, eraftpb::ConfState initial,
                         uint64_t applied)
    : log_(log), region_id_(region_id), initial_(std::move(initial)), applied_(applied) {}

absl::StatusOr<raft::LogStorage::InitialState> PeerStorage::Initial() {
  const raftlog::HardState stored = log_->GetHardState(region_id_);
  InitialState state;
  state.hard_state.set_term(stored.term);
  state.hard_state.set_vote(stored.vote);
  // A commit index that moved alone is not synced, while the engine may have kept what it allowed.
  state.hard_state.set_commit(std::max(stored.commit, applied_));
  state.conf_state = initial_;
  return state;
}

absl::Status PeerStorage::Entries(uint64_t low, uint64_t high, uint64_t max_bytes,
                                  std::vector<eraftpb::Entry>* out) {
  if (low < FirstIndex()) return OutOfRange("index {} is compacted", low);
  if (high > LastIndex() + 1) return NotFound("index {} is beyond the log", high - 1);
  bool damaged = false;
  RETURN_IF_ERROR(log_->Read(region_id_, low, high, max_bytes,
                             [&](uint64_t index, uint64_t term, std::string_view stored) {
                               auto entry = DecodeStoredEntry(index, term, stored);
                               damaged |= !entry.has_value();
                               if (!damaged) out->push_back(*std::move(entry));
                             }));
  if (damaged) return DataLoss("empty entry in the log of region {}", region_id_);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> PeerStorage::Term(uint64_t index) {
  if (index < log_->TruncatedIndex(region_id_)) return OutOfRange("index {} is compacted", index);
  if (index > LastIndex()) return NotFound("index {} is beyond the log", index);
  return log_->Term(region_id_, index);
}

uint64_t PeerStorage::FirstIndex() { return log_->FirstIndex(region_id_); }
uint64_t PeerStorage::LastIndex() { return log_->LastIndex(region_id_); }

absl::StatusOr<eraftpb::Snapshot> PeerStorage::Snapshot(uint64_t min_index, uint64_t to) {
  if (snapshot_.has_value() && snapshot_->header.metadata().index() >= min_index &&
      Includes(snapshot_->header.metadata().conf_state(), to)) {
    used_ = true;
    return snapshot_->header;
  }
  wanted_ = true;
  return Unavailable("snapshot of region {} is being taken", region_id_);
}

void PeerStorage::ProvideSnapshot(OutgoingSnapshot snapshot) {
  wanted_ = false;
  used_ = true;
  snapshot_ = std::move(snapshot);
}

std::shared_ptr<const engine::Snapshot> PeerStorage::DataOf(
    const eraftpb::SnapshotMetadata& header) const {
  if (!snapshot_.has_value()) return nullptr;
  const auto& mine = snapshot_->header.metadata();
  if (mine.index() != header.index() || mine.term() != header.term()) return nullptr;
  return snapshot_->data;
}

void PeerStorage::DropIdleSnapshot() {
  if (!used_) snapshot_.reset();
  used_ = false;
}

void PeerStorage::AddTo(uint64_t region_id, const raft::Ready& ready, raftlog::LogBatch* batch) {
  std::string stored;
  for (const eraftpb::Entry& entry : ready.entries) {
    stored.assign(1, static_cast<char>(entry.entry_type()));
    stored.append(entry.data());
    batch->AppendEntry(region_id, entry.index(), entry.term(), stored);
  }
  if (ready.hard_state.has_value()) {
    const auto& hard = *ready.hard_state;
    batch->SetHardState(region_id, {hard.term(), hard.vote(), hard.commit()});
  }
}

std::optional<eraftpb::Entry> DecodeStoredEntry(uint64_t index, uint64_t term,
                                                std::string_view stored) {
  if (stored.empty()) return std::nullopt;
  eraftpb::Entry entry;
  entry.set_index(index);
  entry.set_term(term);
  entry.set_entry_type(static_cast<eraftpb::EntryType>(stored.front()));
  entry.set_data(stored.data() + 1, stored.size() - 1);
  return entry;
}

}  // namespace tikv::server
