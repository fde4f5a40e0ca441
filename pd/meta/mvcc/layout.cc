#include "pd/meta/mvcc/layout.h"

#include "lib/base/bytes.h"

namespace tikv::pd::meta {
namespace {

std::string WithId(char prefix, uint64_t id) {
  std::string out(1, prefix);
  PutBig64(&out, id);
  return out;
}

}  // namespace

std::string DataKeyPrefix(std::string_view key) {
  std::string out;
  out.reserve(key.size() + 11);
  out.push_back(kDataPrefix);
  for (char c : key) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
  out.append("\0\1", 2);  // Sorts before "\0\xff", so that "a" comes before "a\0".
  return out;
}

std::string DataKey(std::string_view key, int64_t revision) {
  std::string out = DataKeyPrefix(key);
  PutBig64(&out, ~static_cast<uint64_t>(revision));
  return out;
}

std::optional<DataKeyParts> ParseDataKey(std::string_view k) {
  if (k.size() < 11 || k[0] != kDataPrefix) return std::nullopt;
  DataKeyParts parts;
  parts.revision = static_cast<int64_t>(~GetBig64(k.substr(k.size() - 8)));
  std::string_view escaped = k.substr(1, k.size() - 9);
  parts.key.reserve(escaped.size());
  for (size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\0') {
      parts.key.push_back(escaped[i]);
      continue;
    }
    if (i + 1 == escaped.size()) return std::nullopt;
    if (escaped[++i] == '\1') return i + 1 == escaped.size() ? std::optional(parts) : std::nullopt;
    parts.key.push_back('\0');
  }
  return std::nullopt;
}

std::string HistoryKey(int64_t revision, uint32_t position) {
  std::string out = WithId(kHistoryPrefix, static_cast<uint64_t>(revision));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(position >> shift));
  return out;
}

std::optional<int64_t> ParseHistoryKey(std::string_view k) {
  if (k.size() != 13 || k[0] != kHistoryPrefix) return std::nullopt;
  return static_cast<int64_t>(GetBig64(k.substr(1)));
}

std::string LeaseKey(int64_t lease) { return WithId(kLeasePrefix, static_cast<uint64_t>(lease)); }

std::string AttachedKey(int64_t lease, std::string_view key) {
  return WithId(kAttachedPrefix, static_cast<uint64_t>(lease)).append(key);
}

std::string MemberKey(uint64_t id) { return WithId(kMemberPrefix, id); }
std::string RemovedKey(uint64_t id) { return WithId(kRemovedPrefix, id); }
std::string StateKey(std::string_view name) { return std::string(1, kStatePrefix).append(name); }

std::string EncodeRecord(int64_t create_revision, int64_t version, int64_t lease,
                         std::string_view value) {
  std::string out;
  out.reserve(value.size() + 30);
  PutVarint(&out, static_cast<uint64_t>(create_revision));
  PutVarint(&out, static_cast<uint64_t>(version));
  PutVarint(&out, static_cast<uint64_t>(lease));
  out.append(value);
  return out;
}

std::optional<Record> DecodeRecord(std::string_view bytes, bool keys_only) {
  std::optional<uint64_t> create = GetVarint(&bytes), version, lease;
  if (create) version = GetVarint(&bytes);
  if (version) lease = GetVarint(&bytes);
  if (!lease) return std::nullopt;
  return Record{static_cast<int64_t>(*create), static_cast<int64_t>(*version),
                static_cast<int64_t>(*lease), keys_only ? std::string() : std::string(bytes)};
}

}  // namespace tikv::pd::meta
