#include "lib/base/memcomparable.h"

#include <cstdint>

namespace tikv {
namespace {
constexpr size_t kGroup = 8;
constexpr uint8_t kFull = 0xFF;
}  // namespace

void AppendMemcomparable(std::string* out, std::string_view bytes) {
  out->reserve(out->size() + MemcomparableSize(bytes.size()));
  while (bytes.size() >= kGroup) {
    out->append(bytes.substr(0, kGroup));
    out->push_back(static_cast<char>(kFull));
    bytes.remove_prefix(kGroup);
  }
  const size_t pad = kGroup - bytes.size();
  out->append(bytes);
  out->append(pad, '\0');
  out->push_back(static_cast<char>(kFull - pad));
}

std::string EncodeMemcomparable(std::string_view bytes) {
  std::string out;
  AppendMemcomparable(&out, bytes);
  return out;
}

std::optional<std::string> DecodeMemcomparable(std::string_view* in) {
  std::string out;
  std::string_view rest = *in;
  while (rest.size() > kGroup) {
    const size_t pad = kFull - static_cast<uint8_t>(rest[kGroup]);
    if (pad > kGroup) return std::nullopt;
    const std::string_view group = rest.substr(0, kGroup - pad);
    if (rest.substr(group.size(), pad).find_first_not_of('\0') != std::string_view::npos) {
      return std::nullopt;
    }
    out.append(group);
    rest.remove_prefix(kGroup + 1);
    if (pad == 0) continue;
    *in = rest;
    return out;
  }
  return std::nullopt;
}

}  // namespace tikv
