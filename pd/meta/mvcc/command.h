// What the replicated log carries besides membership changes.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace google::protobuf {
class MessageLite;
}

namespace tikv::pd::meta {

// The payload is the request of etcd's protocol with the same name.  Numbers are on disk.
enum class CommandType : uint8_t {
  kPut = 1,
  kDeleteRange = 2,
  kTxn = 3,
  kCompaction = 4,
  kLeaseGrant = 5,  // id and TTL already chosen
  kLeaseRevoke = 6,
  kAlarm = 7,
  kMemberUpdate = 8,  // etcdserverpb.Member: empty fields stay as they are
};

// One decoded entry.
struct Command {
  uint64_t request_id = 0;  // Unique over all members and restarts; tells who waits for it.
  CommandType type = CommandType::kPut;
  std::string payload;
};

std::string EncodeCommand(uint64_t request_id, CommandType type,
                          const google::protobuf::MessageLite& request);
// DataLoss when it does not parse; the type may be unknown (of a newer release).
absl::StatusOr<Command> DecodeCommand(std::string_view bytes);

}  // namespace tikv::pd::meta
