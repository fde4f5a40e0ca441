#include "server/codec/keys.h"

#include "lib/base/bytes.h"
#include "lib/base/check.h"

namespace tikv::server {
namespace {

std::string LocalKey(char kind, RegionId region, char suffix) {
  std::string key{'\x01', kind};
  PutBig64(&key, region.value);
  key.push_back(suffix);
  return key;
}

}  // namespace

std::string DataKey(std::string_view key) {
  std::string out;
  out.reserve(key.size() + 1);
  out.push_back(kDataPrefix);
  out.append(key);
  return out;
}

std::string DataEndKey(std::string_view end) {
  return end.empty() ? std::string(kDataEnd) : DataKey(end);
}

std::string_view StripDataPrefix(std::string_view data_key) {
  CHECK(!data_key.empty() && data_key.front() == kDataPrefix) << Hex(data_key);
  return data_key.substr(1);
}

std::string ApplyStateKey(RegionId region) { return LocalKey('\x02', region, '\x03'); }
std::string SnapshotRaftStateKey(RegionId region) { return LocalKey('\x02', region, '\x04'); }
std::string RegionStateKey(RegionId region) { return LocalKey('\x03', region, '\x01'); }

std::optional<RegionId> ParseRegionStateKey(std::string_view key) {
  constexpr size_t kSize = 2 + 8 + 1;
  if (key.size() != kSize || !key.starts_with(kRegionStateFirst) || key.back() != '\x01') {
    return std::nullopt;
  }
  return RegionId(GetBig64(key.substr(2, 8)));
}

}  // namespace tikv::server
