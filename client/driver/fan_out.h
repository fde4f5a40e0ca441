// Requests on many keys: each region gets its own, in parallel.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "client/driver/typed_task.h"

namespace tikv::client {

// Spreads sorted items over regions.  Each task takes, at the time it is sent, what its region
// holds then, and gives the rest back; so a split or merge between attempts needs no special case.
//
// `Traits` says how: Method, Item, Key(item), Size(item), Add(request, item), and
// Collect(response, out) with Output.
template <class Traits>
class FanOut : public std::enable_shared_from_this<FanOut<Traits>> {
 public:
  using Item = typename Traits::Item;
  using Items = std::vector<Item>;
  using Request = typename Traits::Method::Request;
  using Output = typename Traits::Output;
  using Result = Callback<absl::StatusOr<Output>>;

  // `base`: the request without its items.
  FanOut(DriverContext* driver, MonotonicTime deadline, Request base, Result done)
      : driver_(driver), deadline_(deadline), base_(std::move(base)), done_(std::move(done)) {}

  // `items`: sorted by key.
  void Start(Items items) {
    if (items.empty()) return done_.Give(Output());
    Launch(std::move(items));
  }

 private:
  // As the original clients: batches of this size keep Raft entries and latencies small.
  static constexpr size_t kMaxItems = 512;
  static constexpr size_t kMaxBytes = 64 << 10;

  class Task final : public TypedTask<typename Traits::Method> {
   public:
    Task(std::shared_ptr<FanOut> parent, std::string key, Items items)
        : TypedTask<typename Traits::Method>(parent->driver_, std::move(key), /*before=*/false,
                                             parent->deadline_),
          parent_(std::move(parent)),
          items_(std::move(items)) {}

   private:
    Request Build(const Target& target) override {
      Request request = parent_->base_;
      size_t bytes = 0;
      size_t taken = 0;
      while (taken < items_.size() && taken < kMaxItems && (taken == 0 || bytes < kMaxBytes) &&
             target.region->Holds(Traits::Key(items_[taken]))) {
        bytes += Traits::Size(items_[taken]);
        Traits::Add(&request, items_[taken]);
        ++taken;
      }
      if (taken < items_.size()) {
        parent_->Launch(Items(std::make_move_iterator(items_.begin() + taken),
                              std::make_move_iterator(items_.end())));
        items_.resize(taken);
      }
      return request;
    }
    void Done(absl::Status status) override {
      parent_->TaskDone(std::move(status), &this->response());
    }

    std::shared_ptr<FanOut> parent_;
    Items items_;
  };

  void Launch(Items items) {
    {
      std::lock_guard lock(mutex_);
      ++running_;
    }
    std::string key(Traits::Key(items.front()));
    std::make_shared<Task>(this->shared_from_this(), std::move(key), std::move(items))->Start();
  }

  void TaskDone(absl::Status status, typename Traits::Method::Response* response) {
    {
      std::lock_guard lock(mutex_);
      if (status.ok()) {
        Traits::Collect(response, &output_);
      } else if (status_.ok()) {
        status_ = std::move(status);
      }
      if (--running_ > 0) return;
    }
    if (!status_.ok()) return done_.Give(status_);
    done_.Give(std::move(output_));
  }

  DriverContext* driver_;
  const MonotonicTime deadline_;
  const Request base_;
  Owed<Output> done_;

  std::mutex mutex_;  // Guards what follows.
  int running_ = 0;
  absl::Status status_;  // The first error.
  Output output_;
};

}  // namespace tikv::client
