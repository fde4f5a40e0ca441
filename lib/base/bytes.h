// Bytes as text and numbers as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tikv {

// Upper-case hex, as TiKV and PD print keys: "7A00FF".
std::string Hex(std::string_view bytes);
// The inverse, either case; nullopt for an odd length or another character.
std::optional<std::string> Unhex(std::string_view text);

// Big-endian and little-endian fixed 64-bit integers, appended.
void PutBig64(std::string* out, uint64_t v);
void PutLittle64(std::string* out, uint64_t v);
void PutLittle32(std::string* out, uint32_t v);
// REQUIRES: the view holds at least 8 (4) bytes.
uint64_t GetBig64(std::string_view bytes);
uint64_t GetLittle64(std::string_view bytes);
uint32_t GetLittle32(std::string_view bytes);

// LEB128, at most 10 bytes, as protobuf's varints.
void PutVarint(std::string* out, uint64_t v);
// Reads one from the front and shortens *bytes; nullopt when it ends early or overflows 64 bits.
std::optional<uint64_t> GetVarint(std::string_view* bytes);

// "1.5GiB", "96MiB": at most two decimals, binary units, as TiKV and PD print sizes.
std::string HumanBytes(uint64_t bytes);
// "96MiB", "96MB" (both binary, as in TiKV's configuration), "1024", "1.5GiB"; nullopt otherwise.
std::optional<uint64_t> ParseBytes(std::string_view text);

// The smallest string greater than every string that begins with `prefix`; "" means no bound.
std::string PrefixEnd(std::string_view prefix);

}  // namespace tikv
