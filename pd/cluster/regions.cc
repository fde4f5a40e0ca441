// Region heartbeats, splits and operators of a Cluster.
#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "lib/env/clock.h"
#include "pd/cluster/cluster.h"

namespace tikv::pd {
namespace {

bool ValidRange(const RegionInfo& r) { return r.end().empty() || r.start() < r.end(); }

// What a region of sane size never exceeds; bounds what one message can make us keep.
constexpr int kMaxPeers = 256;

}  // namespace

Cluster::HeartbeatOutcome Cluster::RegionHeartbeat(pdpb::RegionHeartbeatRequest* request,
                                                   const std::shared_ptr<OrderSink>& stream) {
  HeartbeatOutcome out;
  const uint64_t store = request->leader().store_id();
  const bool valid = request->region().id() != 0 && request->region().peers_size() > 0 &&
                     request->region().peers_size() <= kMaxPeers;
  std::string shown = valid ? "" : request->region().ShortDebugString().substr(0, 256);
  std::shared_ptr<RegionInfo> region = TakeRegion(request);
  const bool sound = valid && ValidRange(*region);

  std::lock_guard lock(mu_);
  const StoreInfo* info = state_.stores.Find(StoreId(store));
  if (info == nullptr) {
    out.end = Unknown("invalid store ID {}, not found", store);
    return out;
  }
  std::shared_ptr<OrderSink>& bound = streams_[store];
  if (bound != stream) bound = stream;
  if (!sound) {
    out.rejection = fmt::format("invalid request region, {}", shown);
    return out;
  }
  if (absl::Status s = state_.regions.Check(*region); !s.ok()) {
    out.rejection = std::string(Message(s));
    return out;
  }
  RegionPtr kept = region;
  RegionTable::Change change = state_.regions.Put(std::move(region));
  if (cache_ != nullptr) {
    if (change.meta_changed || change.leader_changed) cache_->Save(kept);
    for (const RegionPtr& gone : change.removed) cache_->Remove(gone->id());
  }
  const ClusterView view = View();
  pdpb::RegionHeartbeatResponse order;
  bool has_order = state_.operators.OnHeartbeat(view, *kept, &order);
  if (!has_order && state_.prepared && change.meta_changed) {
    // A region that just changed is the likeliest to need something; the patrol sees the rest.
    TryCheck(view, kept);
    has_order = state_.operators.OnHeartbeat(view, *kept, &order);
  }
  if (has_order) out.order = std::move(order);
  return out;
}

void Cluster::TryCheck(const ClusterView& view, const RegionPtr& region) {
  if (state_.config.schedule().halted) return;
  if (auto op = state_.checker.Check(view, region)) {
    // Refused when a limit is used up: the next round tries again.
    state_.operators.Add(view, *std::move(op)).IgnoreError();
  }
}

void Cluster::CloseStream(const OrderSink* stream) {
  std::vector<std::shared_ptr<OrderSink>> closed;  // Freed outside the lock.
  std::lock_guard lock(mu_);
  // The entry stays, empty: the store has probably died, long before its silence would show it.
  for (auto& [store, bound] : streams_) {
    if (bound.get() == stream) closed.push_back(std::move(bound));
  }
}

void Cluster::DropRegion(RegionId id) {
  std::lock_guard lock(mu_);
  if (state_.regions.Remove(id) != nullptr && cache_ != nullptr) cache_->Remove(id);
}

void Cluster::DropAllRegions() {
  {
    std::lock_guard lock(mu_);
    state_.regions.Clear();
  }
  if (cache_ != nullptr) cache_->Clear().IgnoreError();
}

void Cluster::AskBatchSplit(const metapb::Region& region, uint32_t count,
                            Callback<absl::StatusOr<std::vector<pdpb::SplitID>>> done) {
  constexpr uint32_t kMaxSplits = 10'000;
  absl::Status refused;
  {
    std::lock_guard lock(mu_);
    RegionPtr known = state_.regions.ById(RegionId(region.id()));
    const auto& asked = region.region_epoch();
    if (!state_.config.schedule().allow_split) {
      refused =
          FailedPrecondition("[PD:schedule:ErrSchedulingIsHalted]tikv split region is not enabled");
    } else if (known == nullptr) {
      refused = NotFound("region {} not found", region.id());
    } else if (const auto& e = known->meta.region_epoch();
               asked.version() < e.version() || asked.conf_ver() < e.conf_ver()) {
      refused = InvalidArgument("invalid region epoch, request: {}, current: {}",
                                asked.ShortDebugString(), e.ShortDebugString());
    } else if (count > kMaxSplits || region.peers_size() > kMaxPeers) {
      refused = InvalidArgument("split count {} is too large", count);
    }
  }
  if (!refused.ok()) return std::move(done)(refused);
  if (count == 0) return std::move(done)(std::vector<pdpb::SplitID>());
  const uint64_t peers = region.peers_size();
  AllocIds(count * (1 + peers),
           [count, peers, done = std::move(done)](absl::StatusOr<uint64_t> last) mutable {
             if (!last.ok()) return std::move(done)(last.status());
             uint64_t next = *last - count * (1 + peers) + 1;
             std::vector<pdpb::SplitID> ids(count);
             for (pdpb::SplitID& id : ids) {
               id.set_new_region_id(next++);
               for (uint64_t i = 0; i < peers; ++i) id.add_new_peer_ids(next++);
             }
             std::move(done)(std::move(ids));
           });
}

absl::Status Cluster::AddOperator(
    const std::function<absl::StatusOr<Operator>(const ClusterView&, ClusterState&)>& build) {
  {
    std::lock_guard lock(mu_);
    const ClusterView view = View();
    ASSIGN_OR_RETURN(Operator op, build(view, state_));
    RETURN_IF_ERROR(state_.operators.Add(view, std::move(op)));
  }
  SendDueOrders();
  return absl::OkStatus();
}

void Cluster::SendDueOrders() {
  constexpr int64_t kResendMs = 2'000;
  std::vector<std::pair<std::shared_ptr<OrderSink>, pdpb::RegionHeartbeatResponse>> out;
  {
    std::lock_guard lock(mu_);
    const ClusterView view = View();
    for (auto& order : state_.operators.Resend(view, view.now_ms - kResendMs)) {
      auto stream = streams_.find(order.target_peer().store_id());
      if (stream == streams_.end() || stream->second == nullptr) continue;
      out.emplace_back(stream->second, std::move(order));
    }
  }
  for (auto& [stream, order] : out) {
    order.mutable_header()->set_cluster_id(cluster_id());
    stream->Send(order);
  }
}

}  // namespace tikv::pd
