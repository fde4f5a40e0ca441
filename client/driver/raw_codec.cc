#include "client/driver/raw_codec.h"

#include "lib/base/memcomparable.h"
#include "lib/base/status.h"

namespace tikv::client {
namespace {

constexpr std::string_view kPrefix("r\0\0\0", 4);
constexpr std::string_view kPrefixEnd("r\0\0\1", 4);

}  // namespace

std::string RawCodec::Key(std::string_view user) const {
  if (version_ != ApiVersion::kV2) return std::string(user);
  return std::string(kPrefix) + std::string(user);
}

std::string RawCodec::RangeEnd(std::string_view user) const {
  if (version_ == ApiVersion::kV2 && user.empty()) return std::string(kPrefixEnd);
  return user.empty() ? std::string() : Key(user);
}

std::string RawCodec::User(std::string_view wire) const {
  return std::string(
      version_ == ApiVersion::kV2 ? wire.substr(std::min(wire.size(), kPrefix.size())) : wire);
}

std::string RawCodec::ToPd(std::string_view wire) const {
  return version_ == ApiVersion::kV2 && !wire.empty() ? EncodeMemcomparable(wire)
                                                      : std::string(wire);
}

absl::StatusOr<std::string> RawCodec::FromPd(std::string_view boundary) const {
  if (version_ != ApiVersion::kV2 || boundary.empty()) return std::string(boundary);
  std::string_view rest = boundary;
  std::optional<std::string> wire = DecodeMemcomparable(&rest);
  if (wire.has_value() && rest.empty()) return *std::move(wire);
  return InvalidArgument(
      "PD sent a region boundary that is no encoded key: do the stores "
      "run with another API version?");
}

}  // namespace tikv::client
