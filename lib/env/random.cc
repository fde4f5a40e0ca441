#include "lib/env/random.h"

#include "lib/base/check.h"

namespace tikv {
namespace {

uint64_t SplitMix(uint64_t* x) {
  uint64_t z = (*x += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

uint64_t RotateLeft(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

// FNV-1a: stable over versions and machines, unlike std::hash.
uint64_t HashName(std::string_view name) {
  uint64_t h = 0xcbf29ce484222325ull;
  for (unsigned char c : name) h = (h ^ c) * 0x100000001b3ull;
  return h;
}

}  // namespace

Random::Random(uint64_t seed, std::string_view name) {
  uint64_t x = seed ^ HashName(name);
  for (uint64_t& word : state_) word = SplitMix(&x);
}

uint64_t Random::Next() {
  uint64_t* s = state_;
  const uint64_t result = RotateLeft(s[1] * 5, 7) * 9;
  const uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = RotateLeft(s[3], 45);
  return result;
}

uint64_t Random::Uniform(uint64_t n) {
  CHECK_GT(n, 0u);
  // Multiply-shift: the bias is below n / 2^64.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
}

uint64_t Random::Between(uint64_t low, uint64_t high) {
  CHECK_LE(low, high);
  const uint64_t span = high - low + 1;
  return span == 0 ? Next() : low + Uniform(span);
}

double Random::Fraction() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

}  // namespace tikv
