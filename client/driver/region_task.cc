#include "client/driver/region_task.h"

#include "lib/base/status.h"

namespace tikv::client {
namespace {

constexpr int kMaxImmediate = 3;

// The request itself is refused: no other attempt can do better.
bool Final(const errorpb::Error& e) {
  return e.has_raft_entry_too_large() || e.has_flashbackinprogress() ||
         e.has_flashbacknotprepared();
}

}  // namespace

std::chrono::milliseconds RegionTask::Remaining() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - driver_->clock->Now());
}

void RegionTask::Locate() {
  driver_->locator->Find(key_, before_,
                         [self = shared_from_this()](absl::StatusOr<Target> target) mutable {
                           if (target.ok()) return self->Send(*std::move(target));
                           // PD's word is not in this client's key encoding; that will not change.
                           if (absl::IsInvalidArgument(target.status())) {
                             return self->Finish(target.status());
                           }
                           self->TryLater(target.status());
                         });
}

void RegionTask::Send(Target target) {
  const auto timeout = std::min(
      Remaining(), std::chrono::duration_cast<std::chrono::milliseconds>(driver_->attempt_timeout));
  if (timeout.count() <= 0) return FinishLate();
  target_ = std::move(target);
  kvrpcpb::Context context;
  context.set_region_id(target_.region->meta.id());
  *context.mutable_region_epoch() = target_.region->meta.region_epoch();
  *context.mutable_peer() = target_.region->leader;
  context.set_api_version(driver_->api_version == ApiVersion::kV2 ? kvrpcpb::V2 : kvrpcpb::V1);
  Attempt(target_, std::move(context), timeout,
          [self = shared_from_this()](absl::StatusOr<std::optional<errorpb::Error>> result) {
            self->Judge(result);
          });
}

void RegionTask::Judge(const absl::StatusOr<std::optional<errorpb::Error>>& result) {
  if (!result.ok()) {
    const absl::Status& s = result.status();
    // InvalidArgument, Unimplemented: the server's word on the request.
    if (s.code() != absl::StatusCode::kUnavailable && s.code() != absl::StatusCode::kCancelled &&
        s.code() != absl::StatusCode::kDeadlineExceeded &&
        s.code() != absl::StatusCode::kResourceExhausted) {
      return Finish(s);
    }
    if (!Idempotent()) {
      return Finish(Aborted("outcome unknown: {}", Message(s)));
    }
    // The store is gone or stuck: somebody else may lead by now.
    driver_->locator->Forget(target_.region);
    driver_->locator->ForgetStore(target_.region->leader.store_id());
    return TryLater(s);
  }
  if (!result->has_value()) return Finish(absl::OkStatus());
  const errorpb::Error& error = **result;
  if (Final(error)) return Finish(InvalidArgument("{}", error.message()));
  cause_ = Unavailable("region {}: {}", target_.region->meta.id(), error.message());
  if (ActOn(error) && ++immediate_ <= kMaxImmediate) return Again();
  TryLater(cause_);
}

bool RegionTask::ActOn(const errorpb::Error& e) {
  Locator& locator = *driver_->locator;
  if (e.has_not_leader() && e.not_leader().leader().store_id() != 0) {
    if (locator.SwitchLeader(target_.region, e.not_leader().leader())) return true;
    locator.Forget(target_.region);
    return false;
  }
  if (e.has_epoch_not_match() && e.epoch_not_match().current_regions_size() > 0) {
    locator.Forget(target_.region);
    for (const metapb::Region& region : e.epoch_not_match().current_regions()) {
      for (const metapb::Peer& peer : region.peers()) {
        if (peer.store_id() == target_.region->leader.store_id()) locator.Learn(region, peer);
      }
    }
    return true;
  }
  if (e.has_server_is_busy() || e.has_region_not_initialized() || e.has_read_index_not_ready()) {
    return false;  // The right place at a bad time.
  }
  if (e.has_store_not_match()) locator.ForgetStore(target_.region->leader.store_id());
  locator.Forget(target_.region);
  return false;
}

void RegionTask::Again() {
  if (Remaining().count() <= 0) return FinishLate();
  Locate();
}

void RegionTask::TryLater(absl::Status cause) {
  cause_ = std::move(cause);
  immediate_ = 0;
  Duration wait;
  {
    std::lock_guard lock(*driver_->random_mutex);
    wait = backoff_.Next(driver_->random);
  }
  if (driver_->clock->Now() + wait >= deadline_) return FinishLate();
  driver_->timers->PostAfter(wait, [self = shared_from_this()] { self->Locate(); });
}

void RegionTask::FinishLate() {
  if (cause_.ok()) return Finish(DeadlineExceeded("no time left to send the request"));
  Finish(DeadlineExceeded("time is up; last cause: {}", Message(cause_)));
}

}  // namespace tikv::client
