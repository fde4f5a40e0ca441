#include "pd/meta/lessor.h"

#include <chrono>

namespace tikv::pd::meta {
namespace {

// When a revocation that was started is tried again.
constexpr Duration kRetry = std::chrono::seconds(3);

// An absurd TTL must not overflow the clock.
Duration TtlDuration(int64_t seconds) {
  constexpr int64_t kMaxSeconds = 3'000'000'000;  // About 95 years.
  return std::chrono::seconds(std::min(seconds, kMaxSeconds));
}

}  // namespace

void Lessor::Schedule(int64_t id, Lease* lease, MonotonicTime expiry) {
  queue_.erase({lease->expiry, id});
  lease->expiry = expiry;
  queue_.insert({expiry, id});
}

void Lessor::Promote(const std::map<int64_t, int64_t>& leases, MonotonicTime now, Duration grace) {
  Demote();
  primary_ = true;
  for (const auto& [id, ttl] : leases) Grant(id, ttl, now + grace);
}

void Lessor::Demote() {
  primary_ = false;
  leases_.clear();
  queue_.clear();
}

void Lessor::Grant(int64_t id, int64_t ttl_seconds, MonotonicTime now) {
  if (!primary_) return;
  Lease& lease = leases_[id];
  lease.ttl_seconds = ttl_seconds;
  lease.expired = false;
  Schedule(id, &lease, now + TtlDuration(ttl_seconds));
}

void Lessor::Remove(int64_t id) {
  auto it = leases_.find(id);
  if (it == leases_.end()) return;
  queue_.erase({it->second.expiry, id});
  leases_.erase(it);
}

std::optional<int64_t> Lessor::Renew(int64_t id, MonotonicTime now) {
  auto it = leases_.find(id);
  if (it == leases_.end() || it->second.expired || it->second.expiry <= now) return std::nullopt;
  Schedule(id, &it->second, now + TtlDuration(it->second.ttl_seconds));
  return it->second.ttl_seconds;
}

std::optional<int64_t> Lessor::Remaining(int64_t id, MonotonicTime now) const {
  auto it = leases_.find(id);
  if (it == leases_.end()) return std::nullopt;
  if (it->second.expired || it->second.expiry <= now) return 0;
  return std::chrono::duration_cast<std::chrono::seconds>(it->second.expiry - now).count();
}

std::vector<int64_t> Lessor::TakeExpired(MonotonicTime now, size_t limit) {
  std::vector<int64_t> due;
  while (!queue_.empty() && queue_.begin()->first <= now && due.size() < limit) {
    const int64_t id = queue_.begin()->second;
    Lease& lease = leases_[id];
    lease.expired = true;
    Schedule(id, &lease, now + kRetry);
    due.push_back(id);
  }
  return due;
}

}  // namespace tikv::pd::meta
