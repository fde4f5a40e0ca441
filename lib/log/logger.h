// Structured logging:
//
//   LOG_INFO(log_, "became leader", {"region_id", region_id}, {"term", term});
//
// The arguments are not evaluated while the level is off.
#pragma once

#include <atomic>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "lib/log/format.h"
#include "lib/log/output.h"

namespace tikv::log {

// A handle to where one program (or simulated node) logs; cheap to copy, passed by constructor.
// Thread-safe.  The default one discards everything.
class Logger {
 public:
  Logger() = default;
  // `clock` must outlive this logger and its copies.
  Logger(std::shared_ptr<Output> output, Clock* clock, Level level = Level::kInfo);

  // This logger with fields that every line ends with, such as the region.
  Logger With(std::initializer_list<Field> fields) const;

  bool Enabled(Level level) const {
    return core_ != nullptr && level >= core_->level.load(std::memory_order_relaxed);
  }
  void Write(Level level, Source source, std::string_view message,
             std::initializer_list<Field> fields) const;

  // At any time, for all copies.
  void SetLevel(Level level);
  Level level() const;

  // From now on a failed CHECK writes its message here before the process aborts.  One logger per
  // process can have that role.
  void InstallFatalHook() const;

 private:
  struct Core {
    Core(std::shared_ptr<Output> o, Clock* c, Level l) : output(std::move(o)), clock(c), level(l) {}
    const std::shared_ptr<Output> output;
    Clock* const clock;
    std::atomic<Level> level;
  };

  std::shared_ptr<Core> core_;
  std::string fixed_fields_;  // Formatted.
};

}  // namespace tikv::log

#define TIKV_LOG(logger, level, message, ...)                                 \
  do {                                                                        \
    const ::tikv::log::Logger& tikv_logger = (logger);                        \
    if (tikv_logger.Enabled(level)) {                                         \
      tikv_logger.Write(level, {__FILE__, __LINE__}, message, {__VA_ARGS__}); \
    }                                                                         \
  } while (false)

#define LOG_DEBUG(logger, message, ...) \
  TIKV_LOG(logger, ::tikv::log::Level::kDebug, message, __VA_ARGS__)
#define LOG_INFO(logger, message, ...) \
  TIKV_LOG(logger, ::tikv::log::Level::kInfo, message, __VA_ARGS__)
#define LOG_WARN(logger, message, ...) \
  TIKV_LOG(logger, ::tikv::log::Level::kWarn, message, __VA_ARGS__)
#define LOG_ERROR(logger, message, ...) \
  TIKV_LOG(logger, ::tikv::log::Level::kError, message, __VA_ARGS__)
// Only logs: a line that somebody must act on.  Ending the process is CHECK's business.
#define LOG_FATAL(logger, message, ...) \
  TIKV_LOG(logger, ::tikv::log::Level::kFatal, message, __VA_ARGS__)
