// Reads a folder of segments back.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lib/raftlog/log_index.h"
#include "lib/raftlog/segment.h"

namespace tikv::raftlog {

// A file that the log leaves in its folder when a write or sync failed.  It need not be durable: it
// is for the next process on the same running machine.
inline constexpr std::string_view kFailedMarker = "SYNC_FAILED";

// The folder as found, ready to be appended to.
struct Recovered {
  std::map<uint32_t, Segment> segments;  // Empty for a new log.
  std::vector<std::string> spare_paths;
  uint64_t end = 0;  // Where the last segment goes on.
  LogIndex index;
};

// Replays all segments in order and cuts a torn tail off the last one, so that it can be appended
// to.  On return everything replayed is durable.  DataLoss, with file and offset, for damage that
// a crash cannot explain.
absl::StatusOr<Recovered> Recover(FileSystem* fs, const std::string& dir);

}  // namespace tikv::raftlog
