// What may be garbage collected: the safe points and who holds them back.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tikv::pd {

// Somebody who needs data from `safe_point` on, until it expires.
struct ServiceSafePoint {
  uint64_t safe_point = 0;
  int64_t expired_at_s = std::numeric_limits<int64_t>::max();
};

// The safe points of the whole cluster.  Pure; the owner persists what changed.  Not thread-safe.
// Invariant: gc_safe_point <= txn_safe_point, and neither goes back.
class GcState {
 public:
  static constexpr char kGcWorker[] = "gc_worker";
  static constexpr char kNativeBr[] = "native_br";

  uint64_t gc_safe_point() const { return gc_safe_point_; }
  uint64_t txn_safe_point() const { return txn_safe_point_; }
  const std::map<std::string, ServiceSafePoint>& services() const { return services_; }

  void Load(uint64_t gc_safe_point, uint64_t txn_safe_point);
  void LoadService(const std::string& id, ServiceSafePoint point) { services_[id] = point; }

  // The old interface: raises the GC safe point; a smaller one leaves it.
  uint64_t UpdateGcSafePoint(uint64_t safe_point);

  struct ServiceUpdate {
    std::string min_service;
    ServiceSafePoint min;
    bool changed = false;  // `id` is to be persisted (or deleted when it is gone).
  };
  // Registers (ttl > 0) or withdraws a service.  A point below the present minimum is not taken;
  // the answer then shows the minimum.  InvalidArgument for an id that is no id, and for gc_worker
  // with a TTL that ends.
  absl::StatusOr<ServiceUpdate> UpdateService(const std::string& id, int64_t ttl_s,
                                              uint64_t safe_point, int64_t now_s);
  void RemoveService(const std::string& id) { services_.erase(id); }
  // The lowest that has not expired; gc_worker at 0 when there is none.
  ServiceUpdate Min(int64_t now_s) const;

  // Barriers hold the transaction safe point back as services do, whose entries they share; global
  // ones stand for all keyspaces.
  enum class Barrier { kOfKeyspace, kGlobal };
  const std::map<std::string, ServiceSafePoint>& global_barriers() const { return global_; }
  void LoadGlobalBarrier(const std::string& id, ServiceSafePoint point) { global_[id] = point; }
  // InvalidArgument for an id or TTL that cannot be, or a point behind the transaction safe point.
  absl::StatusOr<ServiceSafePoint> SetBarrier(Barrier kind, const std::string& id, uint64_t ts,
                                              int64_t ttl_s, int64_t now_s);
  std::optional<ServiceSafePoint> DeleteBarrier(Barrier kind, const std::string& id);

  struct TxnAdvance {
    uint64_t old_point = 0, new_point = 0;
    std::string blocker;  // Why it did not reach the target; "" when it did.
  };
  // Up to `target`, as far as services, barriers and `others` (who needs data from when on) allow.
  // InvalidArgument when it would go back.
  absl::StatusOr<TxnAdvance> AdvanceTxn(uint64_t target, int64_t now_s,
                                        const std::map<std::string, uint64_t>& others = {});
  // InvalidArgument when it would go back or pass the transaction safe point.
  absl::StatusOr<uint64_t> AdvanceGc(uint64_t target);  // The old one.

 private:
  uint64_t gc_safe_point_ = 0;
  uint64_t txn_safe_point_ = 0;
  std::map<std::string, ServiceSafePoint> services_;
  std::map<std::string, ServiceSafePoint> global_;
};

}  // namespace tikv::pd
