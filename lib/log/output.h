// Where finished log lines go.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tikv::log {

// Thread-safe.  Never blocks its caller on a slow disk or a full pipe: lines queue up to a bound,
// beyond which the oldest are dropped.
class Output {
 public:
  virtual ~Output() = default;
  virtual void Write(std::string line) = 0;
  // For the last words of a process: what is queued is written before `line`, unless that takes
  // longer than a moment; `line` is on its way to the file when this returns.
  virtual void WriteLast(std::string_view line) = 0;
};

// Standard error, by a thread of its own.
std::shared_ptr<Output> StderrOutput();

// A file by a thread of its own.  At `max_size_bytes` (0: never) it is renamed to name.1.ext, the
// older ones to .2 and so on; beyond `max_backups` the oldest is deleted.
absl::StatusOr<std::shared_ptr<Output>> FileOutput(const std::string& path, uint64_t max_size_bytes,
                                                   int max_backups);

// Calls `write` with every line, in the thread that logs; for tests and simulation.
std::shared_ptr<Output> FunctionOutput(std::function<void(std::string_view)> write);

}  // namespace tikv::log
