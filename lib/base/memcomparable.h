// Memcomparable bytes: an encoding whose byte order is the order of the plain bytes, and in which
// no encoded key is a prefix of another, so that a suffix (a timestamp) can follow.
//
// Format: groups of 8 bytes, zero padded, each followed by a marker 0xFF - (number of pad bytes).
// A length that is a multiple of 8 (also 0) ends with a group of pads alone (marker 0xF7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tikv {

void AppendMemcomparable(std::string* out, std::string_view bytes);
std::string EncodeMemcomparable(std::string_view bytes);
constexpr size_t MemcomparableSize(size_t bytes) { return (bytes / 8 + 1) * 9; }

// Reads one encoded key from the front of *in and shortens it; nullopt (and *in untouched) when it
// is cut off or padded wrongly.
std::optional<std::string> DecodeMemcomparable(std::string_view* in);

}  // namespace tikv
