// Where a replica tells what happens to it.
#pragma once

#include <string>

namespace tikv::raft {

// Called on the thread that drives the RawNode.  Elections and membership are Info, single
// messages Debug.
class EventLog {
 public:
  enum class Level { kDebug, kInfo, kWarn, kError };

  virtual ~EventLog() = default;
  // Asked first, so that a silent level costs no formatting.
  virtual bool Enabled(Level level) const = 0;
  virtual void Write(Level level, const std::string& text) = 0;
};

}  // namespace tikv::raft
