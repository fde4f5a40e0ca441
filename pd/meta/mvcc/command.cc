#include "pd/meta/mvcc/command.h"

#include <google/protobuf/message_lite.h>

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::pd::meta {

std::string EncodeCommand(uint64_t request_id, CommandType type,
                          const google::protobuf::MessageLite& request) {
  std::string out;
  out.reserve(9 + request.ByteSizeLong());
  PutBig64(&out, request_id);
  out.push_back(static_cast<char>(type));
  request.AppendPartialToString(&out);
  return out;
}

absl::StatusOr<Command> DecodeCommand(std::string_view bytes) {
  if (bytes.size() < 9)
    return DataLoss("a metadata command of {} bytes is too short", bytes.size());
  return Command{GetBig64(bytes), static_cast<CommandType>(bytes[8]), std::string(bytes.substr(9))};
}

}  // namespace tikv::pd::meta
