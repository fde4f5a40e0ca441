#include "lib/log/logger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "lib/base/check.h"
#include "lib/log/file_output.h"

namespace tikv::log {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class FixedClock : public Clock {
 public:
  MonotonicTime Now() override { return {}; }
  MonotonicTime CoarseNow() override { return {}; }
  WallTime Wall() override { return {1'795'519'126'123'000'000}; }
};

class LoggerTest : public ::testing::Test {
 protected:
  LoggerTest() : dir_(std::filesystem::temp_directory_path() / ("log_test." + Unique())) {
    std::filesystem::create_directories(dir_);
  }
  ~LoggerTest() override { std::filesystem::remove_all(dir_); }

  static std::string Unique() { return std::to_string(getpid()); }
  static std::string Contents(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::filesystem::path dir_;
  FixedClock clock_;
  std::vector<std::string> lines_;
  Logger log_{FunctionOutput([this](std::string_view line) { lines_.emplace_back(line); }),
              &clock_};
};

TEST_F(LoggerTest, WritesMessageAndFields) {
  LOG_INFO(log_, "became leader", {"region_id", 2}, {"reason", "no other"});
  LOG_WARN(log_, "plain");
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_THAT(lines_[0], StartsWith("[2026/11/24 "));
  EXPECT_THAT(lines_[0], HasSubstr("] [INFO] [logger_test.cc:"));
  EXPECT_THAT(lines_[0], HasSubstr("] [\"became leader\"] [region_id=2] [reason=\"no other\"]"));
  EXPECT_THAT(lines_[1], HasSubstr("] [plain]"));
}

TEST_F(LoggerTest, ArgumentsAreNotEvaluatedWhenTheLevelIsOff) {
  int evaluated = 0;
  LOG_DEBUG(log_, "hidden", {"n", ++evaluated});
  EXPECT_EQ(evaluated, 0);
  EXPECT_TRUE(lines_.empty());
}

TEST_F(LoggerTest, TheLevelOfAllCopiesChangesAtRunTime) {
  const Logger copy = log_.With({{"a", 1}});
  log_.SetLevel(Level::kDebug);
  LOG_DEBUG(copy, "now shown");
  log_.SetLevel(Level::kError);
  LOG_WARN(copy, "now hidden");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0], HasSubstr("[\"now shown\"] [a=1]"));
  EXPECT_EQ(copy.level(), Level::kError);
}

TEST_F(LoggerTest, FixedFieldsNestAndComeLast) {
  const Logger child = log_.With({{"region_id", 1}}).With({{"peer_id", 2}});
  LOG_INFO(child, "m", {"k", "v"});
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0], HasSubstr("[m] [k=v] [region_id=1] [peer_id=2]"));
}

TEST_F(LoggerTest, TheDefaultLoggerIsSilent) {
  const Logger silent;
  EXPECT_FALSE(silent.Enabled(Level::kFatal));
  LOG_ERROR(silent, "nobody hears", {"a", 1});
}

TEST_F(LoggerTest, AFileGetsAllLinesOfAllThreads) {
  const std::string path = (dir_ / "tikv.log").string();
  {
    auto output = FileOutput(path, 0, 0);
    ASSERT_TRUE(output.ok());
    const Logger log(*output, &clock_);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&log, t] {
        for (int i = 0; i < 100; ++i) LOG_INFO(log, "line", {"thread", t}, {"i", i});
      });
    }
    for (std::thread& thread : threads) thread.join();
  }  // The output's end writes what is queued.
  const std::string text = Contents(path);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 400);
  EXPECT_THAT(text, HasSubstr("[line] [thread=3] [i=99]\n"));
}

TEST_F(LoggerTest, AFileRotatesBySize) {
  const std::string path = (dir_ / "tikv.log").string();
  {
    auto output = FileOutput(path, 1000, 2);
    ASSERT_TRUE(output.ok());
    const Logger log(*output, &clock_);
    for (int i = 0; i < 100; ++i) LOG_INFO(log, "line", {"i", i});
  }
  EXPECT_LE(std::filesystem::file_size(path), 1000u);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "tikv.1.log"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "tikv.2.log"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "tikv.3.log"));
  EXPECT_THAT(Contents(path), HasSubstr("[i=99]"));
}

TEST_F(LoggerTest, OldRotatedFilesAreDeleted) {
  const LogFileOptions options{
      .path = (dir_ / "tikv.log").string(), .max_size_bytes = 0, .max_backups = 0, .max_days = 2};
  for (const char* name : {"tikv.log", "tikv.1.log", "tikv.2.log", "other.1.log"}) {
    std::ofstream(dir_ / name) << "x";
    const auto days = std::chrono::hours(24) * (std::string(name) == "tikv.1.log" ? 1 : 3);
    std::filesystem::last_write_time(dir_ / name,
                                     std::filesystem::file_time_type::clock::now() - days);
  }
  ASSERT_TRUE(FileOutput(options).ok());
  EXPECT_TRUE(std::filesystem::exists(dir_ / "tikv.log"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "tikv.1.log"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "tikv.2.log"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "other.1.log"));
  EXPECT_EQ(RotatedName(options.path, 0), options.path);
  EXPECT_EQ(RotatedName(options.path, 2), (dir_ / "tikv.2.log").string());
}

TEST_F(LoggerTest, AFileThatCannotBeOpenedIsAnError) {
  std::ofstream(dir_ / "file") << "x";
  const auto output = FileOutput((dir_ / "file" / "tikv.log").string(), 0, 0);
  ASSERT_FALSE(output.ok());
  EXPECT_THAT(std::string(output.status().message()), HasSubstr("cannot open the log file"));
}

TEST_F(LoggerTest, AFailedCheckReachesTheFile) {
  const std::string path = (dir_ / "fatal.log").string();
  EXPECT_DEATH(
      {
        auto output = FileOutput(path, 0, 0);
        const Logger log(*output, &clock_);
        log.InstallFatalHook();
        LOG_INFO(log, "before");
        CHECK(1 == 2) << "arithmetic";
      },
      "arithmetic");
  const std::string text = Contents(path);
  EXPECT_THAT(text, HasSubstr("[before]\n"));
  EXPECT_THAT(text, HasSubstr("[FATAL] [logger_test.cc:"));
  EXPECT_THAT(text, HasSubstr("CHECK failed: 1 == 2 arithmetic"));
}

}  // namespace
}  // namespace tikv::log
