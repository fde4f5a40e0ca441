#include "pd/cluster/gc_state.h"

#include <absl/status/statusor.h>

#include <algorithm>

#include "lib/base/status.h"

namespace tikv::pd {
namespace {

constexpr size_t kMaxServices = 10'000;

absl::Status CheckId(const std::string& id) {
  if (!id.empty() && id.size() <= 256 && id.find_first_of(std::string("/\0", 2)) == id.npos) {
    return absl::OkStatus();
  }
  return InvalidArgument("[PD:common:ErrInvalidArgument]invalid argument for barrierID, value: {}",
                         id.substr(0, 64));
}

int64_t Expiry(int64_t ttl_s, int64_t now_s) {
  return now_s + std::min(ttl_s, std::numeric_limits<int64_t>::max() - now_s);
}

}  // namespace

void GcState::Load(uint64_t gc_safe_point, uint64_t txn_safe_point) {
  gc_safe_point_ = gc_safe_point;
  txn_safe_point_ = std::max(txn_safe_point, gc_safe_point);
}

uint64_t GcState::UpdateGcSafePoint(uint64_t safe_point) {
  gc_safe_point_ = std::max(gc_safe_point_, safe_point);
  txn_safe_point_ = std::max(txn_safe_point_, gc_safe_point_);
  return gc_safe_point_;
}

GcState::ServiceUpdate GcState::Min(int64_t now_s) const {
  ServiceUpdate out{kGcWorker, {0}};
  bool first = true;
  for (const auto& [id, point] : services_) {
    if (point.expired_at_s < now_s) continue;
    if (first || point.safe_point < out.min.safe_point) {
      out.min_service = id;
      out.min = point;
      first = false;
    }
  }
  // Before gc_worker has ever reported, nothing may be collected.
  if (!services_.contains(kGcWorker)) out = {kGcWorker, {0}};
  return out;
}

absl::StatusOr<GcState::ServiceUpdate> GcState::UpdateService(const std::string& id, int64_t ttl_s,
                                                              uint64_t safe_point, int64_t now_s) {
  RETURN_IF_ERROR(CheckId(id));
  const bool forever = ttl_s == std::numeric_limits<int64_t>::max();
  if (id == kGcWorker && !forever) {
    return InvalidArgument("TTL of gc_worker's service safe point must be infinity");
  }
  ServiceUpdate now = Min(now_s);
  bool changed = false;
  if (ttl_s <= 0) {
    changed = services_.erase(id) > 0;
  } else if (safe_point >= now.min.safe_point) {
    if (!services_.contains(id) && services_.size() >= kMaxServices) {
      return ResourceExhausted("too many service safe points");
    }
    services_[id] = {safe_point, Expiry(ttl_s, now_s)};
    changed = true;
  }
  ServiceUpdate out = Min(now_s);
  out.changed = changed;
  return out;
}

absl::StatusOr<ServiceSafePoint> GcState::SetBarrier(Barrier kind, const std::string& id,
                                                     uint64_t ts, int64_t ttl_s, int64_t now_s) {
  RETURN_IF_ERROR(CheckId(id));
  if (id == kGcWorker) {
    return InvalidArgument(
        "[PD:gc:ErrReservedGCBarrierID]trying to set a GC barrier with a barrier ID that is "
        "reserved: {}",
        id);
  }
  if (ttl_s <= 0) {
    return InvalidArgument("[PD:common:ErrInvalidArgument]invalid argument for ttl, value: {}",
                           ttl_s);
  }
  if (ts < txn_safe_point_) {
    return InvalidArgument(
        "[PD:gc:ErrGCBarrierTSBehindTxnSafePoint]trying to set a GC barrier on ts {} which is "
        "already behind the txn safe point {}",
        ts, txn_safe_point_);
  }
  auto& barriers = kind == Barrier::kGlobal ? global_ : services_;
  if (!barriers.contains(id) && barriers.size() >= kMaxServices) {
    return ResourceExhausted("too many GC barriers");
  }
  return barriers[id] = {ts, Expiry(ttl_s, now_s)};
}

std::optional<ServiceSafePoint> GcState::DeleteBarrier(Barrier kind, const std::string& id) {
  auto& barriers = kind == Barrier::kGlobal ? global_ : services_;
  auto it = barriers.find(id);
  if (it == barriers.end() || id == kGcWorker) return std::nullopt;
  const ServiceSafePoint gone = it->second;
  barriers.erase(it);
  return gone;
}

absl::StatusOr<GcState::TxnAdvance> GcState::AdvanceTxn(
    uint64_t target, int64_t now_s, const std::map<std::string, uint64_t>& others) {
  if (target < txn_safe_point_) {
    return InvalidArgument(
        "[PD:gc:ErrDecreasingTxnSafePoint]trying to update txn safe point to a smaller value, "
        "current value: {}, given: {}",
        txn_safe_point_, target);
  }
  TxnAdvance out{txn_safe_point_, target, ""};
  auto hold = [&](uint64_t point, std::string blocker) {
    if (point >= out.new_point) return;
    out.new_point = std::max(point, txn_safe_point_);
    out.blocker = std::move(blocker);
  };
  for (const auto* barriers : {&services_, &global_}) {
    for (const auto& [id, point] : *barriers) {
      if (id == kGcWorker || point.expired_at_s < now_s) continue;
      hold(point.safe_point, "BarrierID: " + id);
    }
  }
  for (const auto& [name, point] : others) hold(point, name);
  txn_safe_point_ = out.new_point;
  return out;
}

absl::StatusOr<uint64_t> GcState::AdvanceGc(uint64_t target) {
  if (target < gc_safe_point_) {
    return InvalidArgument(
        "[PD:gc:ErrDecreasingGCSafePoint]trying to update gc safe point to a smaller value, "
        "current value: {}, given: {}",
        gc_safe_point_, target);
  }
  if (target > txn_safe_point_) {
    return InvalidArgument(
        "[PD:gc:ErrGCSafePointExceedsTxnSafePoint]trying to update gc safe point to a too large "
        "value that exceeds the txn safe point, current value: {}, given: {}, current txn safe "
        "point: {}",
        gc_safe_point_, target, txn_safe_point_);
  }
  return std::exchange(gc_safe_point_, target);
}

}  // namespace tikv::pd
