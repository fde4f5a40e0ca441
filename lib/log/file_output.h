// A log file with rotated files beside it.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "lib/log/output.h"

namespace tikv::log {

// Where the file is and what is kept of it.
struct LogFileOptions {
  std::string path;
  uint64_t max_size_bytes = 0;  // Then it is renamed to name.1.ext and so on; 0: never.
  int max_backups = 0;          // Renamed files that are kept; 0: as many as there are.
  int max_days = 0;             // Renamed files older than this are deleted; 0: whatever their age.
};

// By a thread of its own.  Age is looked at when the file is opened: at the start and at each
// renaming.
absl::StatusOr<std::shared_ptr<Output>> FileOutput(const LogFileOptions& options);

// The file and those that were renamed, oldest first; whether or not they exist.
std::string RotatedName(const std::string& path, int number);  // 0: the file itself.

}  // namespace tikv::log
