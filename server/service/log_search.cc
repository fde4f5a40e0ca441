#include "server/service/log_search.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "lib/base/status.h"

namespace tikv::server {
namespace {

using diagnosticspb::LogLevel;
using diagnosticspb::LogMessage;

constexpr size_t kPieceBytes = 1 << 20;
constexpr size_t kMaxLineBytes = 256 << 10;  // Of what is longer the rest is another line.
constexpr size_t kMaxPatterns = 32;

std::optional<int> Number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "2026/11/24 11:18:46.123 +05:30" in milliseconds since the epoch.
std::optional<int64_t> ParseTime(std::string_view text) {
  constexpr size_t kLength = 30;
  if (text.size() != kLength || (text[24] != '+' && text[24] != '-')) return std::nullopt;
  constexpr std::array<std::pair<size_t, size_t>, 9> kParts = {
      {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}, {20, 3}, {25, 2}, {28, 2}}};
  std::array<int, 9> part{};
  for (size_t i = 0; i < kParts.size(); ++i) {
    const auto value = Number(text.substr(kParts[i].first, kParts[i].second));
    if (!value.has_value()) return std::nullopt;
    part[i] = *value;
  }
  using namespace std::chrono;  // NOLINT: a calendar.
  const year_month_day date{year(part[0]), month(static_cast<unsigned>(part[1])),
                            day(static_cast<unsigned>(part[2]))};
  if (!date.ok()) return std::nullopt;
  const int offset = (part[7] * 60 + part[8]) * (text[24] == '-' ? -1 : 1);
  const auto time = sys_days(date).time_since_epoch() + hours(part[3]) + minutes(part[4] - offset) +
                    seconds(part[5]) + milliseconds(part[6]);
  return duration_cast<milliseconds>(time).count();
}

std::optional<LogLevel> ParseLevel(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, LogLevel>, 8> kLevels = {
      {{"DEBUG", diagnosticspb::Debug},
       {"INFO", diagnosticspb::Info},
       {"WARN", diagnosticspb::Warn},
       {"WARNING", diagnosticspb::Warn},
       {"TRACE", diagnosticspb::Trace},
       {"CRITICAL", diagnosticspb::Critical},
       {"FATAL", diagnosticspb::Critical},
       {"ERROR", diagnosticspb::Error}}};
  for (const auto& [name, level] : kLevels) {
    if (name == text) return level;
  }
  return std::nullopt;
}

// "[x] rest" as x, leaving rest.
std::optional<std::string_view> Bracketed(std::string_view* text) {
  const size_t end = text->find(']');
  if (text->empty() || text->front() != '[' || end == std::string_view::npos) return std::nullopt;
  const std::string_view inside = text->substr(1, end - 1);
  text->remove_prefix(std::min(end + 2, text->size()));
  return inside;
}

}  // namespace

std::optional<LogMessage> ParseLogLine(std::string_view line) {
  const auto time_text = Bracketed(&line);
  if (!time_text.has_value()) return std::nullopt;
  const auto level_text = Bracketed(&line);
  if (!level_text.has_value()) return std::nullopt;
  const auto time = ParseTime(*time_text);
  const auto level = ParseLevel(*level_text);
  if (!time.has_value() || !level.has_value()) return std::nullopt;
  LogMessage message;
  message.set_time(*time);
  message.set_level(*level);
  message.set_message(std::string(line));
  return message;
}

LogSearch::LogSearch(const diagnosticspb::SearchLogRequest& request) : request_(request) {}
LogSearch::LogSearch(LogSearch&&) noexcept = default;
LogSearch::~LogSearch() = default;

absl::StatusOr<LogSearch> LogSearch::Create(const diagnosticspb::SearchLogRequest& request) {
  LogSearch search(request);
  if (static_cast<size_t>(request.patterns_size()) > kMaxPatterns) {
    return InvalidArgument("more than {} patterns", kMaxPatterns);
  }
  for (const std::string& pattern : request.patterns()) {
    auto compiled = std::make_unique<re2::RE2>(pattern, re2::RE2::Quiet);
    if (!compiled->ok()) return InvalidArgument("pattern {}: {}", pattern, compiled->error());
    search.patterns_.push_back(std::move(compiled));
  }
  return search;
}

bool LogSearch::Matches(const LogMessage& message) const {
  if (message.time() < request_.start_time()) return false;
  if (request_.end_time() != 0 && message.time() > request_.end_time()) return false;
  const auto& levels = request_.levels();
  if (!levels.empty() && std::find(levels.begin(), levels.end(), message.level()) == levels.end()) {
    return false;
  }
  return std::all_of(patterns_.begin(), patterns_.end(), [&](const auto& pattern) {
    return re2::RE2::PartialMatch(message.message(), *pattern);
  });
}

bool LogSearch::Take(std::string_view line, const Emit& emit) {
  std::optional<LogMessage> message = ParseLogLine(line);
  if (!message.has_value() || !Matches(*message)) return true;
  found_.push_back(*std::move(message));
  return found_.size() < kBatch || emit(std::exchange(found_, {}));
}

absl::StatusOr<bool> LogSearch::SearchFile(FileSystem* files, const std::string& path,
                                           const Emit& emit) {
  ASSIGN_OR_RETURN(const auto file, files->Open(path, OpenOptions::Read()));
  std::string piece(kPieceBytes, '\0');
  std::string rest;  // The beginning of a line whose end is to come.
  for (uint64_t offset = 0;;) {
    ASSIGN_OR_RETURN(const size_t n, file->ReadAt(offset, piece.data(), piece.size()));
    if (n == 0) break;
    offset += n;
    std::string_view text(piece.data(), n);
    for (size_t end; (end = text.find('\n')) != std::string_view::npos;) {
      rest.append(text.substr(0, end));
      text.remove_prefix(end + 1);
      if (!Take(rest, emit)) return false;
      rest.clear();
    }
    rest.append(text);
    if (rest.size() > kMaxLineBytes) rest.clear();
  }
  return Take(rest, emit);
}

absl::Status LogSearch::Run(FileSystem* files, const std::vector<std::string>& paths,
                            const Emit& emit) {
  for (const std::string& path : paths) {
    const absl::StatusOr<bool> more = SearchFile(files, path, emit);
    if (absl::IsNotFound(more.status())) continue;
    RETURN_IF_ERROR(more.status());
    if (!*more) return absl::OkStatus();
  }
  if (!found_.empty()) emit(std::exchange(found_, {}));
  return absl::OkStatus();
}

}  // namespace tikv::server
