#include "pd/core/duration.h"

#include <fmt/core.h>

#include <charconv>
#include <chrono>
#include <cmath>

namespace tikv::pd {
namespace {

constexpr int64_t kMicro = 1'000, kMilli = 1'000'000, kSecond = 1'000'000'000;

// value / unit with as many decimals as needed: 1500 of 1000 is "1.5".
std::string Decimal(int64_t value, int64_t unit) {
  std::string out = fmt::format("{}", value / unit);
  if (value % unit == 0) return out;
  std::string digits = fmt::format("{}", value % unit);
  const size_t width = fmt::format("{}", unit).size() - 1;
  digits.insert(0, width - digits.size(), '0');
  digits.erase(digits.find_last_not_of('0') + 1);
  return out + "." + digits;
}

std::optional<double> UnitNanos(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us" || unit == "µs") return kMicro;
  if (unit == "ms") return kMilli;
  if (unit == "s") return kSecond;
  if (unit == "m") return 60.0 * kSecond;
  if (unit == "h") return 3600.0 * kSecond;
  if (unit == "d") return 24 * 3600.0 * kSecond;
  return std::nullopt;
}

}  // namespace

std::string FormatDuration(int64_t nanos) {
  if (nanos < 0) return "-" + FormatDuration(nanos == INT64_MIN ? INT64_MAX : -nanos);
  if (nanos == 0) return "0s";
  if (nanos < kMicro) return fmt::format("{}ns", nanos);
  if (nanos < kMilli) return Decimal(nanos, kMicro) + "µs";
  if (nanos < kSecond) return Decimal(nanos, kMilli) + "ms";
  const int64_t hours = nanos / (3600 * kSecond), minutes = nanos / (60 * kSecond) % 60;
  std::string out;
  if (hours > 0) out += fmt::format("{}h", hours);
  if (hours > 0 || minutes > 0) out += fmt::format("{}m", minutes);
  return out + Decimal(nanos % (60 * kSecond), kSecond) + "s";
}

std::optional<int64_t> ParseDuration(std::string_view text) {
  if (text == "0") return 0;
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double n = 0;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), n, std::chars_format::fixed);
    if (error != std::errc() || n < 0) return std::nullopt;
    text.remove_prefix(end - text.data());
    const size_t length = std::min(text.find_first_of("0123456789."), text.size());
    auto unit = UnitNanos(text.substr(0, length));
    if (!unit) return std::nullopt;
    text.remove_prefix(length);
    total += n * *unit;
    if (!(total < 9.2e18)) return std::nullopt;
  }
  return std::llround(total);
}

std::string FormatTime(int64_t unix_nanos) {
  using namespace std::chrono;
  int64_t seconds = unix_nanos / kSecond, rest = unix_nanos % kSecond;
  if (rest < 0) {
    --seconds;
    rest += kSecond;
  }
  const sys_seconds t{std::chrono::seconds(seconds)};
  const auto day = floor<days>(t);
  const year_month_day date(day);
  const hh_mm_ss clock(t - day);
  std::string fraction = rest == 0 ? "" : Decimal(rest, kSecond).substr(1);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     fraction);
}

}  // namespace tikv::pd
