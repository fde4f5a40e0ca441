#include "pd/schedule/controller.h"

#include <algorithm>

#include "lib/base/status.h"

namespace tikv::pd {
namespace {

constexpr int64_t kRememberMs = 10 * 60'000;
constexpr size_t kMaxRecords = 10'000;

// What moving one region costs of a store's limit; small ones are cheap, empty ones free.
double Cost(uint64_t size_mib) {
  if (size_mib <= 1) return 0;
  return size_mib <= 20 ? 0.2 : 1;
}

struct PeerMove {
  StoreId store;
  bool add;
};

std::vector<PeerMove> Moves(const Operator& op) {
  std::vector<PeerMove> out;
  for (const Step& s : op.steps) {
    if (const auto* a = std::get_if<AddLearner>(&s)) out.push_back({a->at.store, true});
    if (const auto* r = std::get_if<RemovePeer>(&s)) out.push_back({r->at.store, false});
  }
  return out;
}

}  // namespace

double OperatorController::Level(const ClusterView& view, const TokenKey& key) const {
  const StoreLimit limit = view.config.schedule().LimitOf(key.first);
  const double rate = key.second ? limit.add_peer : limit.remove_peer;
  const double capacity = std::max(1.0, rate / 60);
  auto it = tokens_.find(key);
  if (it == tokens_.end()) return capacity;
  const double minutes = (view.now_ms - it->second.updated_ms) / 60'000.0;
  return std::min(capacity, it->second.level + rate * std::max(0.0, minutes));
}

bool OperatorController::HasLimit(const ClusterView& view, StoreId store, bool add,
                                  uint64_t region_size_mib) const {
  const StoreInfo* s = view.stores.Find(store);
  // A store that is to be emptied gives away as fast as the others can take.
  if (!add && s != nullptr && s->removing()) return true;
  const double cost = Cost(region_size_mib);
  return cost == 0 || Level(view, {store, add}) >= cost;
}

absl::Status OperatorController::CheckLimits(const ClusterView& view, const Operator& op) const {
  if (op.priority == OperatorPriority::kUrgent || (op.kind & kOpAdmin) != 0) {
    return absl::OkStatus();
  }
  for (const PeerMove& m : Moves(op)) {
    if (!HasLimit(view, m.store, m.add, op.region_size_mib)) {
      return FailedPrecondition("the {} limit of store {} is used up",
                                m.add ? "add-peer" : "remove-peer", m.store.value);
    }
  }
  return absl::OkStatus();
}

void OperatorController::TakeTokens(const ClusterView& view, const Operator& op) {
  for (const PeerMove& m : Moves(op)) {
    const TokenKey key{m.store, m.add};
    const double level = Level(view, key);
    tokens_[key] = {level - Cost(op.region_size_mib), view.now_ms};
  }
}

void OperatorController::Apply(const Operator& op, int sign) {
  const int64_t size = static_cast<int64_t>(op.region_size_mib);
  for (const Step& s : op.steps) {
    if (const auto* t = std::get_if<TransferLeader>(&s)) {
      influence_[t->from].leaders -= sign;
      influence_[t->to].leaders += sign;
    }
  }
  for (const PeerMove& m : Moves(op)) {
    Influence& i = influence_[m.store];
    i.regions += m.add ? sign : -sign;
    i.region_size_mib += (m.add ? size : -size) * sign;
  }
}

absl::Status OperatorController::Add(const ClusterView& view, Operator op) {
  RegionPtr region = view.regions.ById(op.region);
  if (region == nullptr) return NotFound("region {} not found", op.region.value);
  const auto& now = region->meta.region_epoch();
  if (now.version() != op.epoch.version() || now.conf_ver() != op.epoch.conf_ver()) {
    return FailedPrecondition("region {} has changed", op.region.value);
  }
  RETURN_IF_ERROR(CheckLimits(view, op));
  if (auto old = running_.find(op.region); old != running_.end()) {
    if (old->second.priority >= op.priority) {
      return FailedPrecondition("region {} has an operator already", op.region.value);
    }
    End(old, OperatorStatus::kReplaced, view.now_ms, "replaced by " + op.desc);
  }
  op.created_ms = op.step_started_ms = view.now_ms;
  TakeTokens(view, op);
  Apply(op, +1);
  const RegionId id = op.region;
  running_.emplace(id, std::move(op));
  return absl::OkStatus();
}

void OperatorController::End(std::map<RegionId, Operator>::iterator it, OperatorStatus status,
                             int64_t now_ms, std::string why) {
  Operator op = std::move(it->second);
  running_.erase(it);
  Apply(op, -1);
  op.status = status;
  op.why = std::move(why);
  op.finished_ms = now_ms;
  records_.push_back(std::move(op));
  while (!records_.empty() &&
         (records_.size() > kMaxRecords || records_.front().finished_ms < now_ms - kRememberMs)) {
    records_.pop_front();
  }
}

bool OperatorController::OnHeartbeat(const ClusterView& view, const RegionInfo& region,
                                     pdpb::RegionHeartbeatResponse* order) {
  auto it = running_.find(region.id());
  if (it == running_.end()) return false;
  Operator& op = it->second;
  while (!op.finished() && IsFinished(op.steps[op.current], region)) {
    ++op.current;
    op.step_started_ms = view.now_ms;
  }
  if (op.finished()) {
    End(it, OperatorStatus::kSuccess, view.now_ms, "");
    return false;
  }
  const Step& step = op.steps[op.current];
  const auto& epoch = region.meta.region_epoch();
  if (epoch.version() != op.epoch.version() || epoch.conf_ver() > op.ExpectedConfVer()) {
    End(it, OperatorStatus::kCanceled, view.now_ms, "the region has changed");
    return false;
  }
  if (auto why = Obstacle(step, region)) {
    End(it, OperatorStatus::kCanceled, view.now_ms, *why);
    return false;
  }
  if (view.now_ms - op.step_started_ms > TimeoutMs(step, op.region_size_mib)) {
    End(it, OperatorStatus::kTimeout, view.now_ms, "timeout");
    return false;
  }
  op.last_sent_ms = view.now_ms;
  FillOrder(step, region, order);
  return true;
}

std::vector<pdpb::RegionHeartbeatResponse> OperatorController::Resend(const ClusterView& view,
                                                                      int64_t before_ms) {
  std::vector<RegionId> due;
  for (const auto& [id, op] : running_) {
    if (op.last_sent_ms < before_ms) due.push_back(id);
  }
  std::vector<pdpb::RegionHeartbeatResponse> orders;
  for (RegionId id : due) {
    RegionPtr region = view.regions.ById(id);
    if (region == nullptr) {
      End(running_.find(id), OperatorStatus::kCanceled, view.now_ms, "the region is gone");
      continue;
    }
    pdpb::RegionHeartbeatResponse order;
    if (OnHeartbeat(view, *region, &order)) orders.push_back(std::move(order));
  }
  return orders;
}

absl::Status OperatorController::Cancel(RegionId region, int64_t now_ms, std::string why) {
  auto it = running_.find(region);
  if (it == running_.end()) {
    return FailedPrecondition("[PD:operator:ErrOperatorNotFound]operator not found");
  }
  End(it, OperatorStatus::kCanceled, now_ms, std::move(why));
  return absl::OkStatus();
}

void OperatorController::Clear() {
  running_.clear();
  records_.clear();
  influence_.clear();
  tokens_.clear();
}

const Operator* OperatorController::Running(RegionId region) const {
  auto it = running_.find(region);
  return it == running_.end() ? nullptr : &it->second;
}

const Operator* OperatorController::Latest(RegionId region) const {
  if (const Operator* op = Running(region)) return op;
  auto it = std::find_if(records_.rbegin(), records_.rend(),
                         [&](const Operator& op) { return op.region == region; });
  return it == records_.rend() ? nullptr : &*it;
}

size_t OperatorController::Count(uint32_t kind) const {
  return std::count_if(running_.begin(), running_.end(),
                       [&](const auto& r) { return (r.second.kind & kind) != 0; });
}

const Influence& OperatorController::Of(StoreId store) const {
  static const Influence kNone;
  auto it = influence_.find(store);
  return it == influence_.end() ? kNone : it->second;
}

}  // namespace tikv::pd
