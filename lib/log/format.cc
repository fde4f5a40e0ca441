#include "lib/log/format.h"

#include <cmath>
#include <cstdlib>
#include <iterator>

namespace tikv::log {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool IsPlain(unsigned char c) {
  return c > 0x20 && c < 0x7F && c != '"' && c != '=' && c != '[' && c != ']' && c != '\\';
}

// Length of the well-formed UTF-8 sequence at the start of `s` (not empty), 0 if there is none:
// no overlong forms, no surrogates, nothing above U+10FFFF.
size_t Utf8Length(std::string_view s) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char c = at(0);
  if (c < 0x80) return 1;
  size_t n = 0;
  unsigned char low = 0x80, high = 0xBF;  // Bounds of the second byte.
  if (c >= 0xC2 && c <= 0xDF) {
    n = 2;
  } else if ((c & 0xF0) == 0xE0) {
    n = 3;
    if (c == 0xE0) low = 0xA0;
    if (c == 0xED) high = 0x9F;
  } else if (c >= 0xF0 && c <= 0xF4) {
    n = 4;
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F;
  }
  if (n == 0 || s.size() < n || at(1) < low || at(1) > high) return 0;
  for (size_t i = 2; i < n; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  return n;
}

void AppendEscaped(char c, std::string* line) {
  switch (c) {
    case '"':
      *line += "\\\"";
      return;
    case '\\':
      *line += "\\\\";
      return;
    case '\n':
      *line += "\\n";
      return;
    case '\r':
      *line += "\\r";
      return;
    case '\t':
      *line += "\\t";
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
    fmt::format_to(std::back_inserter(*line), "\\u{:04x}", static_cast<unsigned char>(c));
  } else {
    *line += c;
  }
}

struct CivilDay {
  int64_t year;
  int month, day;
};

// Days since 1970-01-01 to the Gregorian calendar, by the well-known era arithmetic: 400 years are
// 146097 days and years start in March, so that the leap day comes last.
CivilDay CivilFromDays(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  const int month =
      static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

std::string_view FileName(const char* path) {
  std::string_view name(path);
  return name.substr(name.rfind('/') + 1);  // npos + 1 == 0
}

constexpr std::string_view kTags[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

}  // namespace

void AppendText(std::string_view text, std::string* line) {
  bool plain = !text.empty();
  for (const char c : text) plain = plain && IsPlain(static_cast<unsigned char>(c));
  if (plain) {
    *line += text;
    return;
  }
  *line += '"';
  while (!text.empty()) {
    const size_t n = Utf8Length(text);
    if (n == 1) {
      AppendEscaped(text[0], line);
    } else {
      *line += n == 0 ? kReplacement : text.substr(0, n);
    }
    text.remove_prefix(n == 0 ? 1 : n);
  }
  *line += '"';
}

void Value::AppendTo(std::string* line) const {
  struct Visitor {
    std::string* line;
    void operator()(bool v) { *line += v ? "true" : "false"; }
    void operator()(int64_t v) { fmt::format_to(std::back_inserter(*line), "{}", v); }
    void operator()(uint64_t v) { fmt::format_to(std::back_inserter(*line), "{}", v); }
    void operator()(double v) { fmt::format_to(std::back_inserter(*line), "{}", v); }
    void operator()(std::string_view v) { AppendText(v, line); }
    void operator()(const std::string& v) { AppendText(v, line); }
    void operator()(Duration v) {
      const double nanos = static_cast<double>(v.count());
      const double size = std::abs(nanos);
      const auto [unit, name] = size < 1e3   ? std::pair(1.0, "ns")
                                : size < 1e6 ? std::pair(1e3, "us")
                                : size < 1e9 ? std::pair(1e6, "ms")
                                             : std::pair(1e9, "s");
      fmt::format_to(std::back_inserter(*line), "{:.6g}{}", nanos / unit, name);
    }
  };
  std::visit(Visitor{line}, v_);
}

void AppendField(const Field& field, std::string* line) {
  *line += " [";
  AppendText(field.key, line);
  *line += '=';
  field.value.AppendTo(line);
  *line += ']';
}

std::string FormatHead(WallTime time, int utc_offset_minutes, Level level, Source source,
                       std::string_view message) {
  const int64_t millis = time.millis() + int64_t{utc_offset_minutes} * 60'000;
  const int64_t days = (millis >= 0 ? millis : millis - 86'399'999) / 86'400'000;
  const int64_t rest = millis - days * 86'400'000;
  const CivilDay date = CivilFromDays(days);
  std::string line =
      fmt::format("[{:04}/{:02}/{:02} {:02}:{:02}:{:02}.{:03} {}{:02}:{:02}] [{}] [{}:{}] [",
                  date.year, date.month, date.day, rest / 3'600'000, rest / 60'000 % 60,
                  rest / 1000 % 60, rest % 1000, utc_offset_minutes < 0 ? '-' : '+',
                  std::abs(utc_offset_minutes) / 60, std::abs(utc_offset_minutes) % 60,
                  kTags[static_cast<int>(level)], FileName(source.file), source.line);
  AppendText(message, &line);
  line += ']';
  return line;
}

std::string_view LevelName(Level level) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warn", "error", "fatal"};
  return kNames[static_cast<int>(level)];
}

std::optional<Level> ParseLevel(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  if (lower == "debug" || lower == "trace") return Level::kDebug;
  if (lower == "info") return Level::kInfo;
  if (lower == "warn" || lower == "warning") return Level::kWarn;
  if (lower == "error") return Level::kError;
  if (lower == "fatal" || lower == "critical") return Level::kFatal;
  return std::nullopt;
}

}  // namespace tikv::log
