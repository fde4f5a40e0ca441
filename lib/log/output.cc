#include "lib/log/output.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "lib/base/status.h"
#include "lib/log/file_output.h"

namespace tikv::log {
namespace {

constexpr size_t kQueueLines = 8192;
constexpr int kLastWordsPolls = 20'000;  // Of a yield each: some tens of milliseconds.

// spdlog's asynchronous logger: a bounded queue of finished lines and one thread that writes.
class SpdlogOutput : public Output {
 public:
  explicit SpdlogOutput(spdlog::sink_ptr sink) : sink_(std::move(sink)) {
    sink_->set_pattern("%v");
    pool_ = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
    logger_ = std::make_shared<spdlog::async_logger>("", sink_, pool_,
                                                     spdlog::async_overflow_policy::overrun_oldest);
    logger_->set_level(spdlog::level::trace);
    logger_->flush_on(spdlog::level::trace);  // In the writing thread, after each line.
    // A full disk is not the program's end, and its own report would come in a flood.
    logger_->set_error_handler([](const std::string&) {});
  }

  void Write(std::string line) override {
    logger_->log(spdlog::level::info, spdlog::string_view_t(line));
  }

  void WriteLast(std::string_view line) override {
    for (int i = 0; i < kLastWordsPolls && pool_->queue_size() > 0; ++i) std::this_thread::yield();
    try {
      sink_->log(spdlog::details::log_msg("", spdlog::level::critical,
                                          spdlog::string_view_t(line.data(), line.size())));
      sink_->flush();
    } catch (const std::exception&) {  // The process ends anyway, and stderr gets the message too.
    }
  }

 private:
  spdlog::sink_ptr sink_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;  // Its destructor writes what is queued.
  std::shared_ptr<spdlog::async_logger> logger_;
};

constexpr int kMostBackups = 1000;

void DeleteOld(const std::string& path, int backups, std::chrono::hours age) {
  const auto oldest = std::filesystem::file_time_type::clock::now() - age;
  for (int i = 1; i <= backups; ++i) {
    std::error_code error;  // Missing files among them: those after a gap may be old, too.
    const std::string name = RotatedName(path, i);
    const auto written = std::filesystem::last_write_time(name, error);
    if (!error && written < oldest) std::filesystem::remove(name, error);
  }
}

class CallingOutput : public Output {
 public:
  explicit CallingOutput(std::function<void(std::string_view)> write) : write_(std::move(write)) {}
  void Write(std::string line) override { write_(line); }
  void WriteLast(std::string_view line) override { write_(line); }

 private:
  std::function<void(std::string_view)> write_;
};

}  // namespace

std::shared_ptr<Output> StderrOutput() {
  return std::make_shared<SpdlogOutput>(std::make_shared<spdlog::sinks::stderr_sink_mt>());
}

absl::StatusOr<std::shared_ptr<Output>> FileOutput(const std::string& path, uint64_t max_size_bytes,
                                                   int max_backups) {
  return FileOutput({path, max_size_bytes, max_backups});
}

std::string RotatedName(const std::string& path, int number) {
  return spdlog::sinks::rotating_file_sink_mt::calc_filename(path, static_cast<size_t>(number));
}

absl::StatusOr<std::shared_ptr<Output>> FileOutput(const LogFileOptions& options) {
  const int backups = options.max_backups > 0 ? options.max_backups : kMostBackups;
  spdlog::file_event_handlers handlers;
  if (options.max_days > 0) {
    handlers.after_open = [options, backups](const spdlog::filename_t&, std::FILE*) {
      DeleteOld(options.path, backups, std::chrono::hours(24) * options.max_days);
    };
  }
  try {
    const size_t limit = options.max_size_bytes == 0 ? SIZE_MAX : options.max_size_bytes;
    return std::make_shared<SpdlogOutput>(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
        options.path, limit, static_cast<size_t>(backups), /*rotate_on_open=*/false, handlers));
  } catch (const spdlog::spdlog_ex& e) {
    return InvalidArgument("cannot open the log file {}: {}", options.path, e.what());
  }
}

std::shared_ptr<Output> FunctionOutput(std::function<void(std::string_view)> write) {
  return std::make_shared<CallingOutput>(std::move(write));
}

}  // namespace tikv::log
