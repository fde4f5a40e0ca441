#include "server/raftstore/apply/entry_data.h"

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "proto/raft_cmdpb.pb.h"

namespace tikv::server {
namespace {
constexpr char kWriteTag = 'w';
constexpr char kAdminTag = 'a';
}  // namespace

absl::StatusOr<EntryKind> KindOfEntry(std::string_view data) {
  if (data.empty()) return EntryKind::kEmpty;
  switch (data.front()) {
    case kWriteTag:
      return EntryKind::kWrite;
    case kAdminTag:
      return EntryKind::kAdmin;
    default:
      return InvalidArgument("entry of unknown kind {}", static_cast<int>(data.front()));
  }
}

std::string WriteEntryHead(uint64_t version) {
  std::string data(1, kWriteTag);
  PutVarint(&data, version);
  return data;
}

absl::StatusOr<WriteEntry> DecodeWriteEntry(std::string_view data) {
  data.remove_prefix(1);
  const auto version = GetVarint(&data);
  if (!version.has_value()) return InvalidArgument("write entry without version");
  return WriteEntry{*version, data};
}

std::string EncodeAdminEntry(uint64_t version, uint64_t conf_ver,
                             const raft_cmdpb::AdminRequest& request) {
  std::string data(1, kAdminTag);
  PutVarint(&data, version);
  PutVarint(&data, conf_ver);
  request.AppendToString(&data);
  return data;
}

absl::StatusOr<AdminEntry> DecodeAdminEntry(std::string_view data,
                                            raft_cmdpb::AdminRequest* request) {
  if (data.empty() || data.front() != kAdminTag) return InvalidArgument("no admin entry");
  data.remove_prefix(1);
  const auto version = GetVarint(&data);
  const auto conf_ver = version.has_value() ? GetVarint(&data) : std::nullopt;
  if (!conf_ver.has_value()) return InvalidArgument("admin entry without epoch");
  if (!request->ParseFromArray(data.data(), static_cast<int>(data.size()))) {
    return InvalidArgument("admin entry does not parse");
  }
  return AdminEntry{*version, *conf_ver};
}

}  // namespace tikv::server
