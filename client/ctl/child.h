// One server process that the playground runs.
#pragma once

#include <absl/status/status.h>
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace tikv::client {

// A child process with its output in a file.  It dies with the playground, however that ends.
// Not thread-safe.
class Child {
 public:
  struct Spec {
    std::string name;               // "store-1"
    std::vector<std::string> argv;  // argv[0] is the path of the program
    std::string output;             // stdout and stderr are appended here
  };

  explicit Child(Spec spec) : spec_(std::move(spec)) {}

  const std::string& name() const { return spec_.name; }
  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }

  // NotFound or PermissionDenied when the program cannot be run.
  absl::Status Start();
  // SIGTERM; a child that has ended is left alone.
  void Terminate();
  void Kill();
  // Takes note of an end without waiting for one.  True when the child has ended since the last
  // call: Reason() tells how.
  bool Reap();
  // "was killed by signal 9", or the last line that it wrote, or "ended with code 1".
  std::string Reason() const;

 private:
  std::string LastLine() const;

  Spec spec_;
  pid_t pid_ = 0;
  int wait_status_ = 0;
};

}  // namespace tikv::client
