// A result that somebody waits for.
#pragma once

#include <absl/status/statusor.h>

#include <utility>

#include "lib/base/callback.h"
#include "lib/base/status.h"

namespace tikv::client {

// Answers once: with what Give is given or, when it is dropped before (which happens to what is
// under way when the client closes), with Cancelled.  Not thread-safe.
template <class T>
class Owed {
 public:
  explicit Owed(Callback<absl::StatusOr<T>> done) : done_(std::move(done)) {}
  ~Owed() {
    if (done_) Give(Cancelled("the client is closing"));
  }
  Owed(const Owed&) = delete;
  Owed& operator=(const Owed&) = delete;

  void Give(absl::StatusOr<T> result) {
    auto done = std::exchange(done_, nullptr);
    std::move(done)(std::move(result));
  }

 private:
  Callback<absl::StatusOr<T>> done_;
};

}  // namespace tikv::client
