#include "server/service/symbols.h"

#include <absl/debugging/symbolize.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>

namespace tikv::server {
namespace {

// Each name costs a walk through a symbol table; a profile has some hundred addresses.
constexpr size_t kMaxAddresses = 4096;

}  // namespace

std::string FunctionName(const void* address) {
  std::array<char, 1024> name{};
  return absl::Symbolize(address, name.data(), name.size()) ? std::string(name.data()) : "";
}

std::string NameAddresses(std::string_view request,
                          const std::function<std::string(const void*)>& name) {
  std::string out;
  for (size_t n = 0; n < kMaxAddresses && request.starts_with("0x"); ++n) {
    request.remove_prefix(2);
    uintptr_t address = 0;
    auto [end, error] =
        std::from_chars(request.data(), request.data() + request.size(), address, 16);
    if (error != std::errc()) break;
    request.remove_prefix(end - request.data());
    // A number from outside, only looked up and never followed.
    const std::string found = name(reinterpret_cast<const void*>(address));
    out += fmt::format("0x{:x}\t{}\n", address, found.empty() ? "??" : found);
    if (!request.starts_with('+')) break;
    request.remove_prefix(1);
  }
  return out;
}

}  // namespace tikv::server
