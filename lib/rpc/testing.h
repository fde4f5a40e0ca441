// Helpers of this folder's tests.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"

namespace tikv::rpc {

// A value that one thread sets and another waits for.
template <class T>
class Awaited {
 public:
  void Set(T value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
    cv_.notify_all();
  }
  T Get() {
    std::unique_lock lock(mutex_);
    cv_.wait(lock, [this] { return value_.has_value(); });
    return *value_;
  }
  // Whether it came in time.
  bool WaitFor(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return cv_.wait_for(lock, timeout, [this] { return value_.has_value(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable cv_;
  std::optional<T> value_;
};

// Collects what a client stream hears.
class StreamLog {
 public:
  class Handler : public ClientStreamHandler {
   public:
    explicit Handler(StreamLog* log) : log_(log) {}
    void OnMessage(std::string_view message) override {
      std::lock_guard lock(log_->mutex_);
      log_->messages_.emplace_back(message);
      log_->cv_.notify_all();
    }
    void OnClosed(const absl::Status& status) override {
      std::lock_guard lock(log_->mutex_);
      log_->closed_ = status;
      log_->cv_.notify_all();
    }

   private:
    StreamLog* log_;
  };

  std::unique_ptr<ClientStreamHandler> NewHandler() { return std::make_unique<Handler>(this); }
  std::vector<std::string> WaitForMessages(size_t n) {
    std::unique_lock lock(mutex_);
    cv_.wait(lock, [&] { return messages_.size() >= n || closed_.has_value(); });
    return messages_;
  }
  absl::Status WaitClosed() {
    std::unique_lock lock(mutex_);
    cv_.wait(lock, [&] { return closed_.has_value(); });
    return *closed_;
  }
  size_t size() {
    std::lock_guard lock(mutex_);
    return messages_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable cv_;
  std::vector<std::string> messages_;
  std::optional<absl::Status> closed_;
};

// A stream handler made of callbacks.
struct FunctionHandler : StreamHandler {
  void OnMessage(std::string_view m) override {
    if (on_message) on_message(m);
  }
  void OnHalfClose() override {
    if (on_half_close) on_half_close();
  }
  void OnDrained() override {
    if (on_drained) on_drained();
  }
  void OnClosed(const absl::Status& s) override {
    if (on_closed) on_closed(s);
  }
  std::function<void(std::string_view)> on_message;
  std::function<void()> on_half_close;
  std::function<void()> on_drained;
  std::function<void(const absl::Status&)> on_closed;
};

}  // namespace tikv::rpc
