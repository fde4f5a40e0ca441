#include "server/port/write_command.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/engine/write_batch.h"

namespace tikv::server {
namespace {

using engine::Cf;

class Recorder : public engine::WriteBatch::Visitor {
 public:
  void Put(Cf cf, std::string_view key, std::string_view value) override {
    seen.push_back(fmt::format("put {} {}={}", CfName(cf), key, value));
  }
  void Delete(Cf cf, std::string_view key) override {
    seen.push_back(fmt::format("delete {} {}", CfName(cf), key));
  }
  void DeleteRange(Cf cf, std::string_view begin, std::string_view end) override {
    seen.push_back(fmt::format("range {} {}..{}", CfName(cf), begin, end));
  }
  std::vector<std::string> seen;
};

std::vector<std::string> Decode(std::string_view encoded) {
  engine::WriteBatch batch;
  EXPECT_TRUE(WriteCommand::AppendTo(encoded, &batch).ok());
  Recorder recorder;
  batch.ForEach(&recorder);
  return recorder.seen;
}

TEST(WriteCommand, RoundTrips) {
  WriteCommand command;
  command.Put(Cf::kDefault, "b", "1");
  command.Delete(Cf::kWrite, "a");
  command.DeleteRange(Cf::kLock, "c", "d");
  EXPECT_EQ(Decode(command.encoded()),
            (std::vector<std::string>{"put default zb=1", "delete write za", "range lock zc..zd"}));
  EXPECT_EQ(command.first_key(), "a");
  EXPECT_EQ(command.last_key(), "d");
  EXPECT_TRUE(command.last_is_end());
  command.Put(Cf::kDefault, "d", "");
  EXPECT_FALSE(command.last_is_end());
}

TEST(WriteCommand, EmptyKeyIsAKey) {
  WriteCommand command;
  command.Put(Cf::kDefault, "", "1");
  command.Put(Cf::kDefault, "b", "1");
  EXPECT_EQ(command.first_key(), "");
  EXPECT_EQ(command.last_key(), "b");
}

TEST(WriteCommand, RefusesEveryTruncation) {
  WriteCommand command;
  command.Put(Cf::kDefault, "key", "value");
  command.DeleteRange(Cf::kLock, "c", "d");
  const size_t first_operation = 1 + 1 + 4 + 1 + 5;
  for (size_t n = 1; n < command.byte_size(); ++n) {
    engine::WriteBatch batch;
    const bool whole = n == first_operation;
    EXPECT_EQ(WriteCommand::AppendTo(command.encoded().substr(0, n), &batch).ok(), whole) << n;
    EXPECT_EQ(batch.empty(), !whole) << n;
  }
}

TEST(WriteCommand, RefusesTheStoresOwnFamilyAndKeysWithoutPrefix) {
  engine::WriteBatch batch;
  EXPECT_FALSE(WriteCommand::AppendTo(std::string("\x32\x02za", 4), &batch).ok());
  EXPECT_FALSE(WriteCommand::AppendTo(std::string("\x02\x01"
                                                  "a",
                                                  3),
                                      &batch)
                   .ok());
}

}  // namespace
}  // namespace tikv::server
