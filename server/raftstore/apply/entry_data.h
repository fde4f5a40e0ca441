// What a Raft entry of a region carries.
//
// Format of eraftpb::Entry::data (of ConfChangeV2::context for membership changes):
//   empty                          the no-op of a new leader
//   'w' varint(version) commands   writes of one round, each as server/port/write_command.h says
//   'a' varint(version) varint(conf_ver) raft_cmdpb::AdminRequest
// version and conf_ver are those of the region when it was proposed; an entry that meets another
// region when applied is void.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace raft_cmdpb {
class AdminRequest;
}

namespace tikv::server {

enum class EntryKind : uint8_t { kEmpty, kWrite, kAdmin };

// InvalidArgument for an unknown kind.
absl::StatusOr<EntryKind> KindOfEntry(std::string_view data);

// The head of a write entry; commands are appended to it.
std::string WriteEntryHead(uint64_t version);
// A write entry taken apart; views into its data.
struct WriteEntry {
  uint64_t version = 0;
  std::string_view commands;  // Into the data.
};
absl::StatusOr<WriteEntry> DecodeWriteEntry(std::string_view data);

std::string EncodeAdminEntry(uint64_t version, uint64_t conf_ver,
                             const raft_cmdpb::AdminRequest& request);
// The epoch under which an admin command was proposed.
struct AdminEntry {
  uint64_t version = 0;
  uint64_t conf_ver = 0;
};
// Fills *request.
absl::StatusOr<AdminEntry> DecodeAdminEntry(std::string_view data,
                                            raft_cmdpb::AdminRequest* request);

}  // namespace tikv::server
