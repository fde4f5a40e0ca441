#include "pd/cluster/gc_state.h"

#include <absl/status/statusor.h>

#include <algorithm>

#include "lib/base/status.h"

namespace tikv::pd {

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
  constexpr size_t kMaxServices = 10'000;
  if (id.empty() || id.size() > 256 || id.find('/') != id.npos || id.find('\0') != id.npos) {
    return InvalidArgument(
        "[PD:common:ErrInvalidArgument]invalid argument for barrierID, value: {}",
        id.substr(0, 64));
  }
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
    const int64_t room = std::numeric_limits<int64_t>::max() - now_s;
    services_[id] = {safe_point, now_s + std::min(ttl_s, room)};
    changed = true;
  }
  ServiceUpdate out = Min(now_s);
  out.changed = changed;
  return out;
}

absl::StatusOr<GcState::TxnAdvance> GcState::AdvanceTxn(uint64_t target, int64_t now_s) {
  if (target < txn_safe_point_) {
    return InvalidArgument(
        "[PD:gc:ErrDecreasingTxnSafePoint]trying to update txn safe point to a smaller value, "
        "current value: {}, given: {}",
        txn_safe_point_, target);
  }
  TxnAdvance out{txn_safe_point_, target, ""};
  for (const auto& [id, point] : services_) {
    if (id == kGcWorker || point.expired_at_s < now_s || point.safe_point >= out.new_point) {
      continue;
    }
    out.new_point = std::max(point.safe_point, txn_safe_point_);
    out.blocker = "BarrierID: " + id;
  }
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
