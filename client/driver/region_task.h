// One request to the region that holds a key, repeated until it is answered or time is up.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "client/driver/backoff.h"
#include "client/driver/locator.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/env/random.h"
#include "proto/errorpb.pb.h"
#include "proto/kvrpcpb.pb.h"

namespace tikv::client {

// What tasks share.  All pointers outlive the tasks.
struct DriverContext {
  Locator* locator;
  StoreTransport* stores;
  Executor* timers;
  Clock* clock;
  Random* random;  // Only used on the `timers` strand and under its order.
  std::mutex* random_mutex;
  ApiVersion api_version;
  Duration attempt_timeout;
};

// Locate, Attempt, Judge, and round again after a pause.  Runs on whatever thread completes a step.
class RegionTask : public std::enable_shared_from_this<RegionTask> {
 public:
  RegionTask(DriverContext* driver, std::string key, bool before, MonotonicTime deadline)
      : driver_(driver), key_(std::move(key)), before_(before), deadline_(deadline) {}
  virtual ~RegionTask() = default;

  void Start() { Locate(); }

 protected:
  // Sends the request with this context; answers with the reply's region error, or without one.
  using Judgement = Callback<absl::StatusOr<std::optional<errorpb::Error>>>;
  virtual void Attempt(const Target& target, kvrpcpb::Context context,
                       std::chrono::milliseconds timeout, Judgement judge) = 0;
  // The end: OK when an attempt came back without a region error.
  virtual void Finish(absl::Status status) = 0;
  // Whether a request that may have arrived may be sent again.
  virtual bool Idempotent() const { return true; }

  DriverContext* driver_;

 private:
  void Locate();
  void Send(Target target);
  void Judge(const absl::StatusOr<std::optional<errorpb::Error>>& result);
  // True: retry at once.
  bool ActOn(const errorpb::Error& error);
  void Again();
  void TryLater(absl::Status cause);
  void FinishLate();
  std::chrono::milliseconds Remaining() const;

  const std::string key_;
  const bool before_;
  const MonotonicTime deadline_;
  Target target_;
  absl::Status cause_;  // Of the last failure.
  int immediate_ = 0;   // Retries without a pause in a row.
  Backoff backoff_{std::chrono::milliseconds(2), std::chrono::milliseconds(500)};
};

}  // namespace tikv::client
