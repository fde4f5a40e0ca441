// CRC-64 (ECMA polynomial, reflected: the variant of XZ), as RawChecksum reports it.
#pragma once

#include <cstdint>
#include <string_view>

namespace tikv::server {

// Of a sequence of pieces: start with 0, feed each piece with the result so far.
uint64_t Crc64(uint64_t crc, std::string_view bytes);

// Order-independent digest of a set of pairs: the crc of key followed by value, xored.
struct RawDigest {
  uint64_t crc64_xor = 0;
  uint64_t pairs = 0;
  uint64_t bytes = 0;

  void Add(std::string_view key, std::string_view value) {
    crc64_xor ^= Crc64(Crc64(0, key), value);
    ++pairs;
    bytes += key.size() + value.size();
  }
};

}  // namespace tikv::server
