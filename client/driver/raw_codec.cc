#include "client/driver/raw_codec.h"

#include "lib/base/status.h"

namespace tikv::client {
namespace {

constexpr std::string_view kPrefix("r\0\0\0", 4);
constexpr std::string_view kPrefixEnd("r\0\0\1", 4);
constexpr size_t kGroup = 8;

// Memcomparable bytes: groups of eight, each followed by 0xFF minus the padding in it.
std::string Encode(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at <= bytes.size(); at += kGroup) {
    const std::string_view group = bytes.substr(at, kGroup);
    out.append(group);
    out.append(kGroup - group.size(), '\0');
    out.push_back(static_cast<char>(0xFF - (kGroup - group.size())));
  }
  return out;
}

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
  return version_ == ApiVersion::kV2 && !wire.empty() ? Encode(wire) : std::string(wire);
}

absl::StatusOr<std::string> RawCodec::FromPd(std::string_view boundary) const {
  if (version_ != ApiVersion::kV2 || boundary.empty()) return std::string(boundary);
  std::string out;
  for (size_t at = 0; at + kGroup < boundary.size(); at += kGroup + 1) {
    const size_t padding = 0xFF - static_cast<uint8_t>(boundary[at + kGroup]);
    if (padding > kGroup) break;
    out.append(boundary.substr(at, kGroup - padding));
    if (padding > 0) return out;
  }
  return InvalidArgument("PD sent a region boundary that is no encoded key");
}

}  // namespace tikv::client
