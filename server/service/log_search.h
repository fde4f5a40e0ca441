// Lines of our own log files for Diagnostics.search_log.
#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/env/file_system.h"
#include "proto/diagnosticspb.pb.h"

namespace re2 {
class RE2;
}

namespace tikv::server {

// A line of the log format, "[2026/11/24 11:18:46.123 +00:00] [INFO] [peer.cc:12] [hi] ...": its
// time, level, and what follows the level.  nullopt for anything else.
std::optional<diagnosticspb::LogMessage> ParseLogLine(std::string_view line);

// One search.  Patterns are RE2's: their time is linear in the line, whoever sends them.
class LogSearch {
 public:
  // Called with up to kBatch messages; false ends the search (nobody listens any more).
  using Emit = std::function<bool(std::vector<diagnosticspb::LogMessage>)>;
  static constexpr size_t kBatch = 128;

  // InvalidArgument: a pattern does not compile.
  static absl::StatusOr<LogSearch> Create(const diagnosticspb::SearchLogRequest& request);
  LogSearch(LogSearch&&) noexcept;
  ~LogSearch();

  // Reads the files, oldest first (missing ones are skipped), on a thread that may block.
  absl::Status Run(FileSystem* files, const std::vector<std::string>& paths, const Emit& emit);

 private:
  explicit LogSearch(const diagnosticspb::SearchLogRequest& request);
  // False: `emit` has had enough.
  absl::StatusOr<bool> SearchFile(FileSystem* files, const std::string& path, const Emit& emit);
  bool Matches(const diagnosticspb::LogMessage& message) const;
  bool Take(std::string_view line, const Emit& emit);

  diagnosticspb::SearchLogRequest request_;
  std::vector<std::unique_ptr<re2::RE2>> patterns_;
  std::vector<diagnosticspb::LogMessage> found_;
};

}  // namespace tikv::server
