#include "lib/config/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "lib/base/status.h"

namespace tikv::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t count;
};

constexpr Unit kSizeUnits[] = {{"PiB", int64_t{1} << 50}, {"TiB", int64_t{1} << 40},
                               {"GiB", int64_t{1} << 30}, {"MiB", int64_t{1} << 20},
                               {"KiB", int64_t{1} << 10}, {"B", 1}};

constexpr Unit kDurationUnits[] = {{"d", 86'400'000'000'000},
                                   {"h", 3'600'000'000'000},
                                   {"m", 60'000'000'000},
                                   {"s", 1'000'000'000},
                                   {"ms", 1'000'000},
                                   {"us", 1000},
                                   {"ns", 1}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes a decimal number without sign off the front of `text`; false when there is none.
bool TakeNumber(std::string_view* text, double* number) {
  if (text->empty() || !IsDigit(text->front())) return false;
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), *number, std::chars_format::fixed);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

// Takes the letters at the front.
std::string_view TakeWord(std::string_view* text) {
  size_t n = 0;
  while (n < text->size() && !IsDigit((*text)[n]) && (*text)[n] != '.' && (*text)[n] != ' ') ++n;
  const std::string_view word = text->substr(0, n);
  text->remove_prefix(n);
  return word;
}

// "k", "KB", "kib" and so on are all KiB.
const Unit* FindSizeUnit(std::string_view word) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c; };
  if (word.empty()) return &kSizeUnits[5];
  for (const Unit& unit : kSizeUnits) {
    if (upper(word[0]) != unit.name[0]) continue;
    std::string_view rest = word.substr(1);
    if (unit.count > 1 && !rest.empty() && upper(rest[0]) == 'I') rest.remove_prefix(1);
    if (rest.empty() || (unit.count > 1 && rest.size() == 1 && upper(rest[0]) == 'B')) return &unit;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<Size> ParseSize(std::string_view text) {
  std::string_view rest = text;
  double number = 0;
  const bool has_number = TakeNumber(&rest, &number);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  const Unit* unit = FindSizeUnit(rest);
  if (!has_number || unit == nullptr) return InvalidArgument("not a size: \"{}\"", text);
  const double bytes = number * static_cast<double>(unit->count);
  if (bytes >= 0x1p63) return InvalidArgument("size too large: \"{}\"", text);
  uint64_t exact = 0;  // A plain integer may have more digits than a double holds.
  const auto whole = std::from_chars(text.data(), text.data() + text.size(), exact);
  if (whole.ec == std::errc() && unit->count == 1 && std::floor(number) == number) {
    return Size{exact};
  }
  return Size{static_cast<uint64_t>(bytes)};
}

std::string FormatSize(Size size) {
  if (size.bytes == 0) return "0KiB";
  for (const Unit& unit : kSizeUnits) {
    if (size.bytes % static_cast<uint64_t>(unit.count) == 0) {
      return fmt::format("{}{}", size.bytes / static_cast<uint64_t>(unit.count), unit.name);
    }
  }
  return {};
}

absl::StatusOr<Duration> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  double nanos = 0;
  size_t next = 0;  // Units must come in descending order.
  const auto bad = [&] { return InvalidArgument("not a duration: \"{}\"", text); };
  if (rest.empty()) return bad();
  while (!rest.empty()) {
    double number = 0;
    if (!TakeNumber(&rest, &number)) return bad();
    std::string_view word = TakeWord(&rest);
    if (word == "\xC2\xB5s") word = "us";  // Go writes the sign for micro.
    while (next < std::size(kDurationUnits) && kDurationUnits[next].name != word) ++next;
    if (next == std::size(kDurationUnits)) return bad();
    nanos += number * static_cast<double>(kDurationUnits[next].count);
    ++next;
  }
  if (nanos >= 0x1p63) return InvalidArgument("duration too long: \"{}\"", text);
  return Duration(static_cast<int64_t>(std::round(nanos)));
}

namespace {

std::string FormatGo(int64_t nanos) {
  if (nanos == 0) return "0s";
  if (nanos < 1000) return fmt::format("{}ns", nanos);
  if (nanos < 1'000'000) return fmt::format("{}\xC2\xB5s", static_cast<double>(nanos) / 1e3);
  if (nanos < 1'000'000'000) return fmt::format("{}ms", static_cast<double>(nanos) / 1e6);
  const int64_t minutes = nanos / 60'000'000'000;
  const std::string seconds = fmt::format("{}s", static_cast<double>(nanos % 60'000'000'000) / 1e9);
  if (minutes == 0) return seconds;
  if (minutes < 60) return fmt::format("{}m{}", minutes, seconds);
  return fmt::format("{}h{}m{}", minutes / 60, minutes % 60, seconds);
}

}  // namespace

std::string FormatDuration(Duration duration, DurationStyle style) {
  int64_t nanos = duration.count();
  if (style == DurationStyle::kGo) return FormatGo(nanos);
  std::string text;
  for (const Unit& unit : kDurationUnits) {
    if (nanos < unit.count) continue;
    text += fmt::format("{}{}", nanos / unit.count, unit.name);
    nanos %= unit.count;
  }
  return text.empty() ? "0s" : text;
}

}  // namespace tikv::config
