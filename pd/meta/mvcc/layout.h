// How the metadata lies in the engine (family `default`); layout.md beside this file has the table.
// Everything under these prefixes is replicated state and travels in snapshots.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tikv::pd::meta {

inline constexpr char kDataPrefix = 'd';      // key, revision -> record
inline constexpr char kHistoryPrefix = 'r';   // revision, position -> changed key
inline constexpr char kLeasePrefix = 'l';     // lease -> ttl
inline constexpr char kAttachedPrefix = 'a';  // lease, key -> ""
inline constexpr char kMemberPrefix = 'm';    // member -> etcdserverpb.Member
inline constexpr char kRemovedPrefix = 'x';   // member -> ""
inline constexpr char kStatePrefix = 's';     // name -> value

// All versions of `key`, newest first.
std::string DataKeyPrefix(std::string_view key);
std::string DataKey(std::string_view key, int64_t revision);
// What a key of the engine says.
struct DataKeyParts {
  std::string key;
  int64_t revision = 0;
};
std::optional<DataKeyParts> ParseDataKey(std::string_view engine_key);

// One change: the put or delete number `position` of the transaction with this revision.
std::string HistoryKey(int64_t revision, uint32_t position);
std::optional<int64_t> ParseHistoryKey(std::string_view engine_key);

std::string LeaseKey(int64_t lease);
std::string AttachedKey(int64_t lease, std::string_view key);
std::string MemberKey(uint64_t id);
std::string RemovedKey(uint64_t id);
std::string StateKey(std::string_view name);

// A key's state after one change.  version 0: deleted.
struct Record {
  int64_t create_revision = 0;
  int64_t version = 0;
  int64_t lease = 0;
  std::string value;

  bool deleted() const { return version == 0; }
};
std::string EncodeRecord(int64_t create_revision, int64_t version, int64_t lease,
                         std::string_view value);
// The value is left out when `keys_only`.
std::optional<Record> DecodeRecord(std::string_view bytes, bool keys_only = false);

}  // namespace tikv::pd::meta
