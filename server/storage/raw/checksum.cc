#include "server/storage/raw/checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace tikv::server {
namespace {

constexpr uint64_t kPolynomial = 0xC96C5795D7870F42;

using Tables = std::array<std::array<uint64_t, 256>, 8>;

// tables[k][b] is the effect of byte b followed by k zero bytes, so that eight bytes cost eight
// independent look-ups.
constexpr Tables MakeTables() {
  Tables tables{};
  for (uint64_t b = 0; b < 256; ++b) {
    uint64_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t b = 0; b < 256; ++b) {
      const uint64_t previous = tables[k - 1][b];
      tables[k][b] = (previous >> 8) ^ tables[0][previous & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

static_assert(std::endian::native == std::endian::little);

}  // namespace

uint64_t Crc64(uint64_t crc, std::string_view bytes) {
  crc = ~crc;
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    word ^= crc;
    crc = 0;
    for (int i = 0; i < 8; ++i) crc ^= kTables[7 - i][(word >> (8 * i)) & 0xFF];
    bytes.remove_prefix(8);
  }
  for (char c : bytes) crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return ~crc;
}

}  // namespace tikv::server
