// What members say to each other on the peer port besides snapshots.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tikv::pd::meta {

// The first byte of a frame.
enum class FrameType : uint8_t {
  kRaft = 1,   // payload: eraftpb.Message
  kCall = 2,   // to the leader; see CallMethod
  kReply = 3,  // to a kCall
  kAlive = 4,  // sent once a second
};

// What a member asks of the leader; numbers are on the wire.
enum class CallMethod : uint8_t {
  kPropose = 1,         // payload: an encoded Command;         reply: term, index
  kMembership = 2,      // payload: an encoded MembershipEntry; reply: term, index
  kRenewLease = 3,      // payload: lease;                      reply: TTL
  kLeaseRemaining = 4,  // payload: lease;                      reply: seconds
  kTransferLeader = 5,  // payload: member
};

// kCall: id, method, payload.  kReply: id, status, payload.
struct Frame {
  FrameType type = FrameType::kAlive;
  uint64_t id = 0;
  CallMethod method = CallMethod::kPropose;
  absl::Status status;
  std::string payload;
};

std::string EncodeFrame(const Frame& frame);
// InvalidArgument for bytes that no member sends.
absl::StatusOr<Frame> DecodeFrame(std::string_view bytes);

// Numbers of a reply or a call.
std::string EncodeNumbers(uint64_t first, uint64_t second = 0);
bool DecodeNumbers(std::string_view bytes, uint64_t* first, uint64_t* second);

}  // namespace tikv::pd::meta
