#include "server/service/log_search.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "lib/base/status.h"
#include "lib/env/posix/file_system.h"

namespace tikv::server {
namespace {

using diagnosticspb::SearchLogRequest;

TEST(ParseLogLineTest, TheUnifiedFormat) {
  const auto message =
      ParseLogLine("[2026/11/24 16:48:46.123 +05:30] [WARN] [peer.cc:12] [hi] [n=1]");
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->time(), 1795519126123);
  EXPECT_EQ(message->level(), diagnosticspb::Warn);
  EXPECT_EQ(message->message(), "[peer.cc:12] [hi] [n=1]");
  for (const char* other :
       {"", "[", "[]", "[2026/11/24 16:48:46.123 +05:30]", "plain text",
        "[2026/13/24 16:48:46.123 +05:30] [WARN] x", "[2026/11/24 16:48:46.123 +05:30] [LOUD] x"}) {
    EXPECT_FALSE(ParseLogLine(other).has_value()) << other;
  }
}

class LogSearchTest : public ::testing::Test {
 protected:
  LogSearchTest() {
    std::string pattern = ::testing::TempDir() + "logs-XXXXXX";
    dir_ = mkdtemp(pattern.data());
    Write("old", "[2026/11/24 10:00:00.000 +00:00] [INFO] [a.cc:1] [one]\nnot a line of ours\n");
    Write("new",
          "[2026/11/24 11:00:00.000 +00:00] [ERROR] [a.cc:2] [two] [region_id=7]\n"
          "[2026/11/24 12:00:00.000 +00:00] [INFO] [a.cc:3] [three] [region_id=77]");
  }
  ~LogSearchTest() override { EXPECT_TRUE(RemoveAll(&files_, dir_).ok()); }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomic(&files_, JoinPath(dir_, name), text).ok());
  }
  // The source places of what is found.
  std::string Found(const SearchLogRequest& request) {
    auto search = LogSearch::Create(request);
    if (!search.ok()) return std::string(Message(search.status()));
    std::string out;
    const std::vector<std::string> paths = {JoinPath(dir_, "gone"), JoinPath(dir_, "old"),
                                            JoinPath(dir_, "new")};
    const absl::Status status =
        search->Run(&files_, paths, [&](std::vector<diagnosticspb::LogMessage> messages) {
          for (const auto& message : messages) out += message.message().substr(6, 1);
          return true;
        });
    EXPECT_TRUE(status.ok()) << status;
    return out;
  }

  PosixFileSystem files_;
  std::string dir_;
};

TEST_F(LogSearchTest, TimeLevelAndPatterns) {
  SearchLogRequest request;
  EXPECT_EQ(Found(request), "123");
  request.set_start_time(1795518000000);  // 11:00.
  EXPECT_EQ(Found(request), "23");
  request.set_end_time(1795518000000);
  EXPECT_EQ(Found(request), "2");
  request = {};
  request.add_levels(diagnosticspb::Info);
  EXPECT_EQ(Found(request), "13");
  request.add_patterns("region_id=7+\\b");
  request.add_patterns("thre{2}");
  EXPECT_EQ(Found(request), "3");
  request.add_patterns("(");
  EXPECT_NE(Found(request).find("missing )"), std::string::npos);
}

TEST_F(LogSearchTest, AListenerThatLeavesEndsTheSearch) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "[2026/11/24 10:00:00.000 +00:00] [INFO] [a.cc:1] [x]\n";
  Write("old", many);
  auto search = LogSearch::Create({});
  ASSERT_TRUE(search.ok());
  int batches = 0;
  ASSERT_TRUE(search
                  ->Run(&files_, {JoinPath(dir_, "old")},
                        [&](std::vector<diagnosticspb::LogMessage> messages) {
                          EXPECT_EQ(messages.size(), LogSearch::kBatch);
                          return ++batches < 2;
                        })
                  .ok());
  EXPECT_EQ(batches, 2);
}

}  // namespace
}  // namespace tikv::server
