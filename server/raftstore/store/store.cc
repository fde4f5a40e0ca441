#include "server/raftstore/store/store.h"

#include <algorithm>

#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "server/codec/keys.h"
#include "server/raftstore/store/liveness.h"

namespace tikv::server {

Store::Store(PeerContext context, StoreOutput* output) : context_(context), output_(output) {
  context_.neighbours = this;
  context_.disks = &disks_;
}

Store::~Store() = default;

Peer* Store::FindPeer(RegionId region) {
  const auto it = peers_.find(region.value);
  return it == peers_.end() ? nullptr : it->second.get();
}

void Store::Write(const RequestHeader& header, WriteCommand command, Callback<WriteResult> done) {
  if (header.store != context_.store) {
    return std::move(done)({RegionError::StoreNotMatch(header.store, context_.store), 0});
  }
  Peer* peer = FindPeer(header.region);
  if (peer == nullptr) return std::move(done)({RegionError::RegionNotFound(header.region), 0});
  MarkDirty(peer);
  peer->Write(header, std::move(command), std::move(done));
}

void Store::Read(const RequestHeader& header, MonotonicTime now, Callback<ReadResult> done) {
  if (header.store != context_.store) {
    return std::move(done)({RegionError::StoreNotMatch(header.store, context_.store), {}});
  }
  Peer* peer = FindPeer(header.region);
  if (peer == nullptr) return std::move(done)({RegionError::RegionNotFound(header.region), {}});
  MarkDirty(peer);
  peer->Read(header, now, std::move(done));
}

std::vector<metapb::Region> Store::Around(const metapb::Region& region, uint64_t known) {
  constexpr uint64_t kMost = 9;
  std::vector<metapb::Region> around{region};
  const uint64_t version = region.region_epoch().version();
  if (known > version) return around;
  // A split leaves the old id on the right: what the client does not know of is on the left.
  const uint64_t missed = std::clamp<uint64_t>(version - known, 1, kMost);
  auto it = ranges_.find(DataEndKey(region.end_key()));
  std::string start = region.start_key();
  while (around.size() <= missed && it != ranges_.begin()) {
    --it;
    if (it->first != DataKey(start)) break;  // Not adjacent.
    const metapb::Region& left = peers_.at(it->second)->region();
    around.push_back(left);
    start = left.start_key();
  }
  return around;
}

std::vector<RegionId> Store::Regions() const {
  std::vector<RegionId> ids;
  for (const auto& [id, peer] : peers_) ids.push_back(RegionId(id));
  std::sort(ids.begin(), ids.end());
  return ids;
}

size_t Store::leader_count() const {
  return static_cast<size_t>(std::count_if(
      peers_.begin(), peers_.end(), [](const auto& entry) { return entry.second->IsLeader(); }));
}

absl::StatusOr<RegionDetails> Store::Describe(RegionId region) const {
  const auto it = peers_.find(region.value);
  if (it == peers_.end()) return NotFound("region {} not found", region.value);
  const Peer& peer = *it->second;
  RegionDetails details;
  const raftlog::HardState hard = context_.log->GetHardState(region.value);
  details.raft_local_state.mutable_hard_state()->set_term(hard.term);
  details.raft_local_state.mutable_hard_state()->set_vote(hard.vote);
  details.raft_local_state.mutable_hard_state()->set_commit(hard.commit);
  details.raft_local_state.set_last_index(context_.log->LastIndex(region.value));
  details.raft_apply_state.set_applied_index(peer.apply_state().applied);
  auto* truncated = details.raft_apply_state.mutable_truncated_state();
  truncated->set_index(peer.apply_state().truncated_index);
  truncated->set_term(peer.apply_state().truncated_term);
  details.region_local_state.set_state(peer.installing() ? raft_serverpb::PeerState::Applying
                                                         : raft_serverpb::PeerState::Normal);
  *details.region_local_state.mutable_region() = peer.region();
  if (const metapb::Peer* leader = peer.Leader()) details.leader = *leader;
  details.is_leader = peer.IsLeader();
  return details;
}

absl::StatusOr<eraftpb::Entry> Store::RaftEntry(RegionId region, uint64_t index) const {
  const raftlog::RaftLog& log = *context_.log;
  if (!log.Contains(region.value) || index < log.FirstIndex(region.value) ||
      index > log.LastIndex(region.value)) {
    return NotFound("region {} has no entry {}", region.value, index);
  }
  std::optional<eraftpb::Entry> entry;
  RETURN_IF_ERROR(log.Read(region.value, index, index + 1, 0,
                           [&](uint64_t at, uint64_t term, std::string_view stored) {
                             entry = DecodeStoredEntry(at, term, stored);
                           }));
  if (!entry.has_value()) return DataLoss("entry {} of region {}", index, region.value);
  return *std::move(entry);
}

uint64_t Store::Successor(const Peer& peer, DiskUsage most) const {
  uint64_t best = 0, best_match = 0;
  for (const raft::PeerStatus& other : peer.node().GetStatus().peers) {
    if (other.id == peer.id().value || other.learner) continue;
    if (!HeardOfLately(peer, other.id, *context_.config)) continue;
    const metapb::Peer* meta = FindPeerById(peer.region(), other.id);
    if (meta == nullptr || disks_.Of(meta->store_id()) > most) continue;
    if (disks_.IsLeaving(meta->store_id())) continue;
    if (best == 0 || other.match > best_match) best = other.id, best_match = other.match;
  }
  return best;
}

size_t Store::TransferLeadersAway() {
  disks_.SetLeaving();
  size_t led = 0;
  for (auto& [id, peer] : peers_) {
    if (!peer->IsLeader()) continue;
    uint64_t best = Successor(*peer, DiskUsage::kNormal);
    if (best == 0) best = Successor(*peer, DiskUsage::kAlreadyFull);
    if (best == 0) continue;  // Nobody could take over.
    ++led;
    peer->TransferLeader(PeerId(best)).IgnoreError();
    MarkDirty(peer.get());
  }
  return led;
}

void Store::FailEverything(absl::FunctionRef<RegionError()> error) {
  for (auto& [id, peer] : peers_) peer->FailAll(error);
  absl::flat_hash_map<uint64_t, PendingSplit> splits = std::move(splits_);
  splits_.clear();
  for (auto& [token, split] : splits) std::move(split.done)({error(), {}});
}

}  // namespace tikv::server
