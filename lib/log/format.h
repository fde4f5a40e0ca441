// One log line in TiKV's unified format, which TiDB's log search and many collectors parse:
//
//   [2026/11/24 11:18:46.123 +00:00] [INFO] [peer.cc:12] ["became leader"] [region_id=2] [term=7]
//
// Texts with anything but plain characters are quoted as JSON strings; control characters are
// escaped and invalid UTF-8 becomes U+FFFD, so that a line stays one line of valid text whatever
// came over the network.
#pragma once

#include <fmt/core.h>

#include <concepts>
#include <string>
#include <string_view>
#include <variant>

#include "lib/env/clock.h"
#include "lib/log/level.h"

namespace tikv::log {

// The value of a field.  Text is referred to, not copied: a Value lives no longer than the call
// that it is an argument of.
class Value {
 public:
  // Implicit, so that a field reads {"key", value}.
  template <std::same_as<bool> T>  // Not from pointers.
  Value(T v) : v_(v) {}
  template <std::signed_integral T>
  Value(T v) : v_(static_cast<int64_t>(v)) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Value(T v) : v_(static_cast<uint64_t>(v)) {}
  template <std::floating_point T>
  Value(T v) : v_(static_cast<double>(v)) {}
  Value(const char* v) : v_(std::string_view(v)) {}
  Value(std::string_view v) : v_(v) {}
  Value(const std::string& v) : v_(std::string_view(v)) {}
  template <class Rep, class Period>
  Value(std::chrono::duration<Rep, Period> v) : v_(std::chrono::duration_cast<Duration>(v)) {}
  // Ids (their number), statuses and whatever else explains itself.
  template <class T>
  requires requires(const T& t) {
    { t.value } -> std::convertible_to<uint64_t>;
  }
  Value(const T& v) : v_(static_cast<uint64_t>(v.value)) {}
  template <class T>
  requires requires(const T& t) {
    { t.ToString() } -> std::convertible_to<std::string>;
  }
  Value(const T& v) : v_(std::string(v.ToString())) {}

  void AppendTo(std::string* line) const;

 private:
  std::variant<bool, int64_t, uint64_t, double, std::string_view, std::string, Duration> v_;
};

// One [key=value] of a line.
struct Field {
  std::string_view key;
  Value value;
};

// Where a line comes from; the folder part of `file` is dropped.
struct Source {
  const char* file;
  int line;
};

// Appends `text` as it is if that is unambiguous, else quoted.
void AppendText(std::string_view text, std::string* line);

void AppendField(const Field& field, std::string* line);

// The line up to its fields.  `utc_offset_minutes` is the local zone's.
std::string FormatHead(WallTime time, int utc_offset_minutes, Level level, Source source,
                       std::string_view message);

}  // namespace tikv::log
