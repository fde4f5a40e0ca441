#include "server/storage/raw/raw_codec.h"

#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/memcomparable.h"
#include "lib/base/status.h"
#include "server/codec/timestamp.h"

namespace tikv::server {
namespace {

constexpr uint8_t kExpiryFlag = 1;
constexpr uint8_t kDeletedFlag = 2;
constexpr size_t kExpiryBytes = 8;
constexpr size_t kTimestampBytes = 8;

// Splits the expiry off the end.
bool TakeExpiry(std::string_view* bytes, uint64_t* expires_at) {
  if (bytes->size() < kExpiryBytes) return false;
  *expires_at = GetBig64(bytes->substr(bytes->size() - kExpiryBytes));
  bytes->remove_suffix(kExpiryBytes);
  return true;
}

}  // namespace

std::string_view ApiVersionName(ApiVersion version) {
  switch (version) {
    case ApiVersion::kV1:
      return "V1";
    case ApiVersion::kV1Ttl:
      return "V1ttl";
    case ApiVersion::kV2:
      return "V2";
  }
  return "unknown";
}

std::string RawCodec::Key(std::string_view key) const {
  if (version_ != ApiVersion::kV2) return std::string(key);
  std::string out;
  out.reserve(MemcomparableSize(key.size()) + kTimestampBytes);
  AppendMemcomparable(&out, key);
  AppendTimestamp(&out, 0);
  return out;
}

std::string RawCodec::Bound(std::string_view key) const {
  if (version_ != ApiVersion::kV2 || key.empty()) return std::string(key);
  return EncodeMemcomparable(key);
}

std::optional<std::string> RawCodec::UserKey(std::string_view stored_key) const {
  if (version_ != ApiVersion::kV2) return std::string(stored_key);
  std::optional<std::string> key = DecodeMemcomparable(&stored_key);
  if (!key.has_value() || stored_key.size() != kTimestampBytes) return std::nullopt;
  return key;
}

std::string RawCodec::Value(std::string_view value, uint64_t expires_at) const {
  CHECK(ttl_enabled() || expires_at == 0);
  std::string out;
  out.reserve(value.size() + kExpiryBytes + 1);
  out.append(value);
  if (version_ == ApiVersion::kV1Ttl) {
    PutBig64(&out, expires_at);
  } else if (version_ == ApiVersion::kV2) {
    if (expires_at != 0) PutBig64(&out, expires_at);
    out.push_back(expires_at != 0 ? kExpiryFlag : 0);
  }
  return out;
}

absl::StatusOr<RawValue> RawCodec::Decode(std::string_view stored) const {
  RawValue out;
  if (version_ == ApiVersion::kV1Ttl) {
    if (!TakeExpiry(&stored, &out.expires_at)) {
      return tikv::DataLoss("a stored value of {} bytes is too short to hold its expiry",
                            stored.size());
    }
  } else if (version_ == ApiVersion::kV2) {
    if (stored.empty()) return tikv::DataLoss("a stored value has no flags");
    const uint8_t flags = static_cast<uint8_t>(stored.back());
    stored.remove_suffix(1);
    out.deleted = (flags & kDeletedFlag) != 0;
    if ((flags & kExpiryFlag) != 0 && !TakeExpiry(&stored, &out.expires_at)) {
      return tikv::DataLoss("a stored value of {} bytes is too short to hold its expiry",
                            stored.size());
    }
  }
  out.value = stored;
  return out;
}

}  // namespace tikv::server
