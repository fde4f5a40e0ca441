// Waiting for a callback, for the straight-line code of start and stop.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace tikv::server {

// Calls start(done) and waits until done(result) was called.  Never on a thread that `done` needs.
template <class Result, class Start>
Result Await(Start start) {
  struct Box {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Result> result;
  };
  auto box = std::make_shared<Box>();
  start([box](Result result) {
    std::lock_guard lock(box->mutex);
    box->result = std::move(result);
    box->ready.notify_one();
  });
  std::unique_lock lock(box->mutex);
  box->ready.wait(lock, [&] { return box->result.has_value(); });
  return *std::move(box->result);
}

}  // namespace tikv::server
