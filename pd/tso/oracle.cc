#include "pd/tso/oracle.h"

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace tikv::pd::tso {
namespace {

// Physical time stays this far below the saved bound, and a clock that is ahead by no more than
// this is not followed.
constexpr int64_t kGuardMs = 1;

// Bounds are saved in nanoseconds, as 64 bits: no time may come near their end, in 2262.
constexpr int64_t kMaxPhysicalMs = INT64_MAX / 1'000'000 - 86'400'000;

}  // namespace

int64_t Oracle::Begin(int64_t now_ms, int64_t saved_ms) {
  serving_ = false;
  physical_ms_ = std::max(now_ms, saved_ms + kGuardMs);
  logical_ = 0;
  bound_ms_ = saved_ms;
  return physical_ms_ + options_.window_ms;
}

void Oracle::End() { serving_ = false; }

void Oracle::OnSaved(int64_t bound_ms) {
  CHECK_GE(bound_ms, bound_ms_) << "the saved bound went back";
  bound_ms_ = bound_ms;
  serving_ = true;
}

bool Oracle::MoveTo(int64_t physical_ms) {
  if (physical_ms <= physical_ms_ || physical_ms + kGuardMs > bound_ms_) return false;
  physical_ms_ = physical_ms;
  logical_ = 0;
  return true;
}

std::optional<int64_t> Oracle::Tick(int64_t now_ms) {
  if (!serving_) return std::nullopt;
  int64_t next = physical_ms_;
  if (now_ms - physical_ms_ > kGuardMs) {
    next = now_ms;
  } else if (logical_ > kMaxLogical / 2) {
    next = physical_ms_ + 1;
  }
  if (next != physical_ms_) MoveTo(next);
  // Half a window before the bound is early enough for a save to be repeated.
  if (next + options_.window_ms / 2 < bound_ms_) return std::nullopt;
  return std::max(next + options_.window_ms, bound_ms_);
}

absl::StatusOr<Timestamp> Oracle::Generate(uint32_t count) {
  if (count == 0) return Unknown("tso count should be positive");
  if (!serving_) return Unavailable("not leader: timestamps are not served yet");
  if (logical_ + static_cast<int64_t>(count) >= kMaxLogical) {
    if (static_cast<int64_t>(count) >= kMaxLogical || !MoveTo(physical_ms_ + 1)) {
      return Unknown(
          "[PD:tso:ErrGenerateTimestamp]generate tso failed, maximum number of {} "
          "timestamps exceeded",
          kMaxLogical);
    }
  }
  logical_ += count;
  return current();
}

absl::StatusOr<int64_t> Oracle::PrepareReset(uint64_t ts, bool force_larger) const {
  const Timestamp wanted = Timestamp::Decompose(ts);
  if (!serving_) return Unavailable("not leader: timestamps are not served yet");
  if (wanted <= current()) {
    return PermissionDenied(
        "[PD:tso:ErrResetUserTimestamp]reset user timestamp failed, the specified ts is smaller "
        "than now");
  }
  if (wanted.physical > kMaxPhysicalMs ||
      (!force_larger && wanted.physical - physical_ms_ >= options_.max_reset_gap_ms)) {
    return PermissionDenied(
        "[PD:tso:ErrResetUserTimestamp]reset user timestamp failed, the specified ts is too larger "
        "than now");
  }
  return std::max(wanted.physical + options_.window_ms, bound_ms_);
}

void Oracle::Reset(uint64_t ts) {
  const Timestamp wanted = Timestamp::Decompose(ts);
  if (wanted <= current()) return;
  CHECK_LT(wanted.physical, bound_ms_) << "a reset whose bound was not saved";
  physical_ms_ = wanted.physical;
  logical_ = wanted.logical;
}

}  // namespace tikv::pd::tso
