#include "lib/log/logger.h"

#include <ctime>

#include "lib/base/check.h"

namespace tikv::log {
namespace {

// SetFatalHook takes a plain function, so the logger that it writes to must be reachable from one.
// Never destroyed: a CHECK may fail while the process is being torn down.
Logger* g_fatal_logger = nullptr;

void LogFatal(const char* file, int line, const std::string& message) {
  g_fatal_logger->Write(Level::kFatal, {file, line}, message, {});
}

int UtcOffsetMinutes(WallTime time) {
  const time_t seconds = time.seconds();
  tm local = {};
  return localtime_r(&seconds, &local) == nullptr ? 0 : static_cast<int>(local.tm_gmtoff / 60);
}

}  // namespace

Logger::Logger(std::shared_ptr<Output> output, Clock* clock, Level level)
    : core_(std::make_shared<Core>(std::move(output), clock, level)) {}

Logger Logger::With(std::initializer_list<Field> fields) const {
  Logger child = *this;
  for (const Field& field : fields) AppendField(field, &child.fixed_fields_);
  return child;
}

void Logger::Write(Level level, Source source, std::string_view message,
                   std::initializer_list<Field> fields) const {
  if (!Enabled(level)) return;
  const WallTime now = core_->clock->Wall();
  std::string line = FormatHead(now, UtcOffsetMinutes(now), level, source, message);
  for (const Field& field : fields) AppendField(field, &line);
  line += fixed_fields_;
  if (level == Level::kFatal) {
    core_->output->WriteLast(line);
  } else {
    core_->output->Write(std::move(line));
  }
}

void Logger::SetLevel(Level level) {
  if (core_ != nullptr) core_->level.store(level, std::memory_order_relaxed);
}

Level Logger::level() const {
  return core_ == nullptr ? Level::kFatal : core_->level.load(std::memory_order_relaxed);
}

void Logger::InstallFatalHook() const {
  if (core_ == nullptr) return;
  g_fatal_logger = new Logger(*this);
  SetFatalHook(&LogFatal);
}

}  // namespace tikv::log
