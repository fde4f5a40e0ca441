// The port through which services take timestamps.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>

#include "lib/base/callback.h"
#include "pd/tso/timestamp.h"

namespace tikv::pd::tso {

// Thread-safe.  Timestamps are unique and rise over all calls, restarts and leaders.
class Tso {
 public:
  virtual ~Tso() = default;

  // The last of `count` timestamps in a row; the caller owns (result - count, result].  Never
  // waits.  Unavailable "not leader..." when this member does not lead or its lease ended; Unknown
  // with the texts that PD's clients know ("tso count should be positive", "generate ...tso...").
  virtual absl::StatusOr<Timestamp> Allocate(uint32_t count) = 0;

  // Moves ahead to at least `ts` (as a restore needs it).  PermissionDenied with "smaller" in its
  // text when ts is behind, with "larger" when it is more than the configured gap (24 h) ahead and
  // not `force_larger`.
  virtual void Reset(uint64_t ts, bool force_larger, Callback<absl::Status> done) = 0;

  // Whether Allocate would succeed now.
  virtual bool IsServing() const = 0;
};

}  // namespace tikv::pd::tso
