#include "lib/config/toml_edit.h"

#include <gtest/gtest.h>

namespace tikv::config {
namespace {

std::string Edited(std::string_view text, const std::vector<TomlEdit>& edits) {
  const auto out = EditToml(text, edits);
  return out.ok() ? *out : std::string(out.status().message());
}

TEST(EditTomlTest, KeepsCommentsAndOrder) {
  EXPECT_EQ(Edited("# mine\n"
                   "[log]\n"
                   "level = \"info\"  # quiet = \"never\"\n"
                   "\n"
                   "[raftstore]\n"
                   "# raft-log-gc-threshold = 1\n"
                   "raft-log-gc-threshold=50\n",
                   {{"log.level", "\"debug\""}, {"raftstore.raft-log-gc-threshold", "77"}}),
            "# mine\n"
            "[log]\n"
            "level = \"debug\" # quiet = \"never\"\n"
            "\n"
            "[raftstore]\n"
            "# raft-log-gc-threshold = 1\n"
            "raft-log-gc-threshold= 77\n");
}

TEST(EditTomlTest, AddsMissingKeysAndSections) {
  EXPECT_EQ(Edited("", {{"log.level", "\"debug\""}}), "[log]\nlevel = \"debug\"\n");
  EXPECT_EQ(Edited("[log]\nformat = \"text\"\n\n[server]\n",
                   {{"log.level", "\"warn\""},
                    {"rocksdb.defaultcf.write-buffer-size", "\"1MiB\""},
                    {"memory-usage-limit", "\"1GiB\""}}),
            "memory-usage-limit = \"1GiB\"\n"
            "[log]\nformat = \"text\"\nlevel = \"warn\"\n\n[server]\n\n"
            "[rocksdb.defaultcf]\nwrite-buffer-size = \"1MiB\"\n");
}

TEST(EditTomlTest, DottedAndQuotedKeysAreFound) {
  EXPECT_EQ(Edited("log.level = \"info\"\n", {{"log.level", "\"warn\""}}),
            "log.level = \"warn\"\n");
  EXPECT_EQ(Edited("[ \"log\" ]\n\"level\" = 'info'\n", {{"log.level", "\"warn\""}}),
            "[ \"log\" ]\n\"level\" = \"warn\"\n");
}

TEST(EditTomlTest, StringsAndListsAreNotTakenForKeys) {
  const std::string text =
      "[a]\ntext = \"\"\"\n[log]\nlevel = \"x\"\n\"\"\"\nlist = [\n  \"level = 1\", # ]\n]\n";
  EXPECT_EQ(Edited(text, {{"a.level", "2"}}), text + "level = 2\n");
}

TEST(EditTomlTest, InlineTablesAreLeftToPeople) {
  const auto out = EditToml("log = { level = \"info\" }\n", {{"log.level", "\"warn\""}});
  EXPECT_EQ(out.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace tikv::config
