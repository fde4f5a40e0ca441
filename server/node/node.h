// Node: one running store, put together.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>

#include "server/node/options.h"

namespace tikv::server {

// Owns every thread, file and socket of the process.  Start and Stop from the main thread.
class Node {
 public:
  Node(CommandLine command, int argc, char** argv);
  ~Node();  // Stops.
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Returns when the store serves.  An error is one sentence for people: what is wrong and what to
  // do about it.  While PD cannot be reached it keeps trying and says so in the log, until
  // `interrupted` tells to give up (Cancelled).
  absl::Status Start(std::function<bool()> interrupted);
  // Within about ten seconds: tells clients to go elsewhere, hands leaders over, lets calls end,
  // closes.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tikv::server
