// How raw pairs are stored.  One of three forms for the whole cluster, chosen at first boot:
//
//   mode    key                                          value
//   V1      as given                                     as given
//   V1TTL   as given                                     value + expiry (BE8, unix seconds, 0 none)
//   V2      memcomparable('r' + keyspace(3) + key) + ~ts  value + [expiry] + flags
//                                                        (bit 0: expiry present, bit 1: deleted)
//
// In V2 the timestamp is always 0: nothing reads old versions, so writing in place keeps one
// version per key and needs no garbage collection and no timestamps from PD on the write path.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tikv::server {

enum class ApiVersion : uint8_t { kV1, kV1Ttl, kV2 };

std::string_view ApiVersionName(ApiVersion version);  // "V1", "V1ttl", "V2"

// A stored value taken apart; the view points into the stored bytes.
struct RawValue {
  std::string_view value;
  uint64_t expires_at = 0;  // Unix seconds; 0 = never.
  bool deleted = false;

  bool VisibleAt(uint64_t now_seconds) const {
    return !deleted && (expires_at == 0 || expires_at > now_seconds);
  }
};

// Stateless but for the mode; thread-safe.
class RawCodec {
 public:
  explicit RawCodec(ApiVersion version) : version_(version) {}

  ApiVersion version() const { return version_; }
  bool ttl_enabled() const { return version_ != ApiVersion::kV1; }

  // The key in the region's key space.
  std::string Key(std::string_view key) const;
  // A bound of a range: sorts before every stored form of `key` and after everything smaller.
  // "" stays "".
  std::string Bound(std::string_view key) const;
  // The user's key; nullopt when the bytes are not a key of this mode.
  std::optional<std::string> UserKey(std::string_view stored_key) const;

  // REQUIRES: expires_at == 0 unless ttl_enabled().
  std::string Value(std::string_view value, uint64_t expires_at) const;
  // DataLoss when the bytes cannot be a value of this mode.
  absl::StatusOr<RawValue> Decode(std::string_view stored_value) const;

 private:
  ApiVersion version_;
};

}  // namespace tikv::server
