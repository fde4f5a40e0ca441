// Requests on a range of keys: region after region, in order.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "client/driver/typed_task.h"

namespace tikv::client {

// The part of a range that lies in one region, as wire keys.
struct RangePart {
  std::string start;
  std::string end;  // "": the end of the key space.
};

// Walks [start, end), upwards or from the end downwards.  `Walker` provides Method, Output,
// Build(part), and Take(response): false when enough has been seen.
template <class Walker>
class RangeWalk : public std::enable_shared_from_this<RangeWalk<Walker>> {
 public:
  using Result = Callback<absl::StatusOr<typename Walker::Output>>;

  RangeWalk(DriverContext* driver, MonotonicTime deadline, RangePart range, bool downwards,
            Walker walker, Result done)
      : driver_(driver),
        deadline_(deadline),
        left_(std::move(range)),
        downwards_(downwards),
        walker_(std::move(walker)),
        done_(std::move(done)) {}

  void Start() {
    if (!left_.end.empty() && left_.start >= left_.end) return Finish(absl::OkStatus());
    std::string key = downwards_ ? left_.end : left_.start;
    std::make_shared<Task>(this->shared_from_this(), std::move(key))->RegionTask::Start();
  }

 private:
  class Task final : public TypedTask<typename Walker::Method> {
   public:
    Task(std::shared_ptr<RangeWalk> walk, std::string key)
        : TypedTask<typename Walker::Method>(walk->driver_, std::move(key), walk->downwards_,
                                             walk->deadline_),
          walk_(std::move(walk)) {}

   private:
    typename Walker::Method::Request Build(const Target& target) override {
      part_ = walk_->Clip(*target.region);
      return walk_->walker_.Build(part_);
    }
    void Done(absl::Status status) override {
      walk_->TaskDone(std::move(status), part_, &this->response());
    }

    std::shared_ptr<RangeWalk> walk_;
    RangePart part_;
  };

  RangePart Clip(const Region& region) const {
    const bool ends_here = region.end.empty() || (!left_.end.empty() && left_.end <= region.end);
    return {std::max(left_.start, region.start), ends_here ? left_.end : region.end};
  }

  void TaskDone(absl::Status status, const RangePart& part,
                typename Walker::Method::Response* response) {
    if (!status.ok()) return Finish(std::move(status));
    const bool last = downwards_ ? part.start <= left_.start : part.end == left_.end;
    if (!walker_.Take(response) || last) return Finish(absl::OkStatus());
    downwards_ ? left_.end = part.start : left_.start = part.end;
    Start();
  }

  void Finish(absl::Status status) {
    if (!status.ok()) return done_.Give(std::move(status));
    done_.Give(std::move(walker_.output));
  }

  DriverContext* driver_;
  const MonotonicTime deadline_;
  RangePart left_;
  const bool downwards_;
  Walker walker_;
  Owed<typename Walker::Output> done_;
};

}  // namespace tikv::client
