// Timestamps behind encoded keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tikv::server {

// Timestamps follow a key inverted, big endian: newest first.
void AppendTimestamp(std::string* out, uint64_t ts);
// REQUIRES: at least 8 bytes.  Reads the last 8.
uint64_t DecodeTimestamp(std::string_view key);

}  // namespace tikv::server
