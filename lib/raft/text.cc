#include "lib/raft/text.h"

namespace tikv::raft {

std::string_view MessageName(eraftpb::MessageType type) {
  switch (type) {
    case eraftpb::MsgHup:
      return "MsgHup";
    case eraftpb::MsgBeat:
      return "MsgBeat";
    case eraftpb::MsgPropose:
      return "MsgProp";
    case eraftpb::MsgAppend:
      return "MsgApp";
    case eraftpb::MsgAppendResponse:
      return "MsgAppResp";
    case eraftpb::MsgRequestVote:
      return "MsgVote";
    case eraftpb::MsgRequestVoteResponse:
      return "MsgVoteResp";
    case eraftpb::MsgSnapshot:
      return "MsgSnap";
    case eraftpb::MsgHeartbeat:
      return "MsgHeartbeat";
    case eraftpb::MsgHeartbeatResponse:
      return "MsgHeartbeatResp";
    case eraftpb::MsgUnreachable:
      return "MsgUnreachable";
    case eraftpb::MsgSnapStatus:
      return "MsgSnapStatus";
    case eraftpb::MsgCheckQuorum:
      return "MsgCheckQuorum";
    case eraftpb::MsgTransferLeader:
      return "MsgTransferLeader";
    case eraftpb::MsgTimeoutNow:
      return "MsgTimeoutNow";
    case eraftpb::MsgReadIndex:
      return "MsgReadIndex";
    case eraftpb::MsgReadIndexResp:
      return "MsgReadIndexResp";
    case eraftpb::MsgRequestPreVote:
      return "MsgPreVote";
    case eraftpb::MsgRequestPreVoteResponse:
      return "MsgPreVoteResp";
    default:
      return "MsgUnknown";
  }
}

}  // namespace tikv::raft
