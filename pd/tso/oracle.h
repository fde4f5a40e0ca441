// The rules by which timestamps rise: a pure object, no clock, no thread, no disk.
//
// What may be handed out is bounded by a saved (durable, replicated) bound: physical times stay
// below it.  A new leader starts above the bound that it finds, and so above everything that was
// ever handed out.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>

#include "pd/tso/timestamp.h"

namespace tikv::pd::tso {

// How far ahead a bound is saved, and how far a reset may jump.
struct OracleOptions {
  int64_t window_ms = 3'000;  // How far ahead a bound is saved.
  int64_t max_reset_gap_ms = 86'400'000;
};

// Not thread-safe.  Times are Unix milliseconds; the wall clock may jump either way.
class Oracle {
 public:
  explicit Oracle(OracleOptions options) : options_(options) {}

  // Leadership begins: `saved_ms` is the bound found in the store (0: none).  Returns the bound to
  // save; nothing is handed out until OnSaved.
  int64_t Begin(int64_t now_ms, int64_t saved_ms);
  // Leadership ended, or the object is not in use: nothing is handed out any more.
  void End();

  // `bound_ms` is durable.  REQUIRES: it is not below the one before.
  void OnSaved(int64_t bound_ms);

  // Follows the wall clock; returns a bound that should be saved.  The time moves only as far as
  // the present bound allows.
  std::optional<int64_t> Tick(int64_t now_ms);

  // The last of `count` timestamps.  Unknown when `count` is 0 or does not fit, or when the bound
  // has been reached (a save is overdue).
  absl::StatusOr<Timestamp> Generate(uint32_t count);

  // To move ahead to `ts`: the bound to save first, then Reset.  PermissionDenied as in Tso::Reset.
  absl::StatusOr<int64_t> PrepareReset(uint64_t ts, bool force_larger) const;
  // REQUIRES: the bound from PrepareReset is saved.  Ignored when time has meanwhile passed `ts`.
  void Reset(uint64_t ts);

  bool serving() const { return serving_; }
  Timestamp current() const { return {physical_ms_, logical_}; }
  int64_t bound_ms() const { return bound_ms_; }

 private:
  bool MoveTo(int64_t physical_ms);

  const OracleOptions options_;
  bool serving_ = false;
  int64_t physical_ms_ = 0;
  int64_t logical_ = 0;  // The last one handed out within physical_ms_.
  int64_t bound_ms_ = 0;
};

}  // namespace tikv::pd::tso
