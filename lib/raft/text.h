// Texts of the event log.
#pragma once

#include <fmt/core.h>

#include <string_view>

#include "lib/raft/event_log.h"
#include "proto/eraftpb.pb.h"

namespace tikv::raft {

// "MsgApp", "MsgVoteResp", ...: the names etcd's raft gives them in logs.
std::string_view MessageName(eraftpb::MessageType type);

}  // namespace tikv::raft

// RAFT_TELL(log, kInfo, "{:x} became leader", id): formats only when somebody listens.
#define RAFT_TELL(log, level, ...)                                                        \
  do {                                                                                    \
    ::tikv::raft::EventLog* tell_log = (log);                                             \
    if (tell_log != nullptr && tell_log->Enabled(::tikv::raft::EventLog::Level::level)) { \
      tell_log->Write(::tikv::raft::EventLog::Level::level, fmt::format(__VA_ARGS__));    \
    }                                                                                     \
  } while (false)
