// One pd-server: everything made, started and stopped in order.
#pragma once

#include <absl/status/status.h>

#include <memory>

#include "pd/node/options.h"

namespace tikv::pd {

// Not thread-safe: main's.
class Node {
 public:
  explicit Node(CommandLine command);
  ~Node();

  // Blocks until both ports serve.  Errors are one sentence for people.
  absl::Status Start();
  // Hands leadership over if it can, lets calls end, and closes what is on disk.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tikv::pd
