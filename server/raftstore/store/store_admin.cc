// Store's splits, and the orders of the placement driver.
#include <algorithm>

#include "lib/base/status.h"
#include "server/codec/keys.h"
#include "server/raftstore/store/liveness.h"
#include "server/raftstore/store/store.h"

namespace tikv::server {
namespace {

raft_cmdpb::AdminRequest SplitRequest(const std::vector<std::string>& keys,
                                      const std::vector<pdpb::SplitID>& ids) {
  raft_cmdpb::AdminRequest request;
  request.set_cmd_type(raft_cmdpb::AdminCmdType::BatchSplit);
  request.mutable_splits()->set_right_derive(true);
  for (size_t i = 0; i < keys.size(); ++i) {
    auto* part = request.mutable_splits()->add_requests();
    part->set_split_key(keys[i]);
    part->set_new_region_id(ids[i].new_region_id());
    for (const uint64_t id : ids[i].new_peer_ids()) part->add_new_peer_ids(id);
  }
  return request;
}

}  // namespace

RequestHeader Store::OwnHeader(const Peer& peer) const {
  return {.region = peer.region_id(),
          .peer = peer.id(),
          .store = context_.store,
          .conf_ver = peer.region().region_epoch().conf_ver(),
          .version = peer.region().region_epoch().version()};
}

// Sorts and cleans *keys.
RegionError Store::CheckSplit(const RequestHeader& header, std::vector<std::string>* keys) {
  if (header.store != context_.store) {
    return RegionError::StoreNotMatch(header.store, context_.store);
  }
  Peer* peer = FindPeer(header.region);
  if (peer == nullptr) return RegionError::RegionNotFound(header.region);
  if (RegionError error = peer->CheckAdmin(header)) return error;
  const metapb::Region& region = peer->region();
  for (const std::string& key : *keys) {
    if (!InRange(key, region.start_key(), region.end_key())) {
      return RegionError::KeyNotInRegion(key, header.region, region.start_key(), region.end_key());
    }
  }
  std::sort(keys->begin(), keys->end());
  keys->erase(std::unique(keys->begin(), keys->end()), keys->end());
  std::erase(*keys, region.start_key());
  if (keys->empty()) return RegionError::FromMessage("no valid key found for split.");
  return {};
}

void Store::SplitRegion(const RequestHeader& header, std::vector<std::string> keys,
                        Callback<SplitResult> done) {
  constexpr size_t kMostWaiting = 1024;
  RegionError error = CheckSplit(header, &keys);
  if (!error && splits_.size() >= kMostWaiting) {
    error = RegionError::ServerIsBusy("raftstore is busy");
  }
  if (error) return std::move(done)({std::move(error), {}});
  const uint64_t token = next_token_++;
  const auto count = static_cast<uint32_t>(keys.size());
  splits_[token] = {header, std::move(keys), std::move(done)};
  output_->AskSplitIds(FindPeer(header.region)->region(), count, token);
}

void Store::OnSplitIds(uint64_t token, const absl::StatusOr<std::vector<pdpb::SplitID>>& ids) {
  const auto it = splits_.find(token);
  if (it == splits_.end()) return;
  PendingSplit split = std::move(it->second);
  splits_.erase(it);
  if (!ids.ok()) {
    return std::move(split.done)(
        {RegionError::FromMessage(fmt::format("no ids for a split: {}", Message(ids.status()))),
         {}});
  }
  ProposeSplit(split.header, std::move(split.keys), *ids, std::move(split.done));
}

void Store::ProposeSplit(const RequestHeader& header, std::vector<std::string> keys,
                         const std::vector<pdpb::SplitID>& ids, Callback<SplitResult> done) {
  // The region may have changed while the ids were on their way.
  if (RegionError error = CheckSplit(header, &keys)) {
    return std::move(done)({std::move(error), {}});
  }
  Peer* peer = FindPeer(header.region);
  if (ids.size() != keys.size()) {
    return std::move(done)({RegionError::FromMessage("wrong number of ids for a split"), {}});
  }
  const raft_cmdpb::AdminRequest request = SplitRequest(keys, ids);
  auto regions = SplitRegions(peer->region(), request.splits());
  if (!regions.ok()) {
    return std::move(done)({RegionError::FromMessage(std::string(Message(regions.status()))), {}});
  }
  MarkDirty(peer);
  peer->ProposeAdmin(
      request, [regions = *std::move(regions), done = std::move(done)](WriteResult result) mutable {
        if (result.error) return std::move(done)({std::move(result.error), {}});
        std::move(done)({{}, std::move(regions)});
      });
}

void Store::OnPdOrder(const pdpb::RegionHeartbeatResponse& order) {
  if (failed_) return;
  Peer* peer = FindPeer(RegionId(order.region_id()));
  if (peer == nullptr || !peer->IsLeader()) return;
  MarkDirty(peer);
  if (order.has_change_peer() || order.has_change_peer_v2()) {
    ChangePeersByOrder(peer, order);
  } else if (order.has_transfer_leader()) {
    // Several candidates: the first that can take over.
    std::vector<metapb::Peer> candidates(order.transfer_leader().peers().begin(),
                                         order.transfer_leader().peers().end());
    if (candidates.empty()) candidates.push_back(order.transfer_leader().peer());
    for (const metapb::Peer& candidate : candidates) {
      if (!HeardOfLately(*peer, candidate.id(), *context_.config)) continue;
      // It would hand the region on at once.
      if (disks_.Of(candidate.store_id()) != DiskUsage::kNormal) continue;
      if (disks_.IsLeaving(candidate.store_id())) continue;
      if (peer->TransferLeader(PeerId(candidate.id())).ok()) break;
    }
  } else if (order.has_split_region()) {
    SplitByOrder(peer, order.split_region());
  }
}

void Store::ChangePeersByOrder(Peer* peer, const pdpb::RegionHeartbeatResponse& order) {
  if (order.region_epoch().conf_ver() != peer->region().region_epoch().conf_ver()) return;
  raft_cmdpb::AdminRequest request;
  auto add = [](const pdpb::ChangePeer& change, raft_cmdpb::ChangePeerRequest* out) {
    out->set_change_type(change.change_type());
    *out->mutable_peer() = change.peer();
  };
  if (order.has_change_peer_v2()) {
    request.set_cmd_type(raft_cmdpb::AdminCmdType::ChangePeerV2);
    request.mutable_change_peer_v2();
    for (const pdpb::ChangePeer& change : order.change_peer_v2().changes()) {
      add(change, request.mutable_change_peer_v2()->add_changes());
    }
  } else {
    request.set_cmd_type(raft_cmdpb::AdminCmdType::ChangePeer);
    add(order.change_peer(), request.mutable_change_peer());
  }
  // Refused or lost: the placement driver sees it in the next heartbeat and decides again.
  peer->ProposePeers(request, [](WriteResult) {});
}

void Store::SplitByOrder(Peer* peer, const pdpb::SplitRegion& order) {
  if (order.keys_size() > 0) {
    return SplitRegion(OwnHeader(*peer), {order.keys().begin(), order.keys().end()},
                       [](SplitResult) {});
  }
  const metapb::Region& region = peer->region();
  output_->CheckSplit({peer->region_id(), region.region_epoch().version(), region.start_key(),
                       region.end_key(), true});
}

void Store::OnSplitChecked(const SplitCheckResult& result) {
  Peer* peer = FindPeer(result.region);
  if (peer == nullptr) return;
  peer->stats.split_check_running = false;
  if (peer->region().region_epoch().version() != result.version) return;
  peer->stats.approximate_bytes = result.bytes;
  peer->stats.approximate_keys = result.keys;
  if (context_.metrics != nullptr) {
    context_.metrics->region_size.Observe(static_cast<double>(result.bytes));
  }
  if (!peer->IsLeader() || result.split_keys.empty()) return;
  SplitRegion(OwnHeader(*peer), result.split_keys, [](SplitResult) {});
}

}  // namespace tikv::server
