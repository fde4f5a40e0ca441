// raft_scripts DIR: runs etcd-raft's data-driven scripts, found below DIR, against lib/raft; prints
// which pass, and fails unless all do.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "lib/raft/scripts/suites.h"

namespace tikv::raft::scripts {
namespace {

struct Suite {
  const char* name;
  const char* folder;
  size_t least;  // files that must be there
  std::function<absl::Status(const std::string&)> run;
};

bool RunSuite(const Suite& suite, const std::filesystem::path& root) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(root / suite.folder, error)) {
    if (file.path().extension() == ".txt") files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  size_t passed = 0;
  for (const std::filesystem::path& file : files) {
    const absl::Status s = suite.run(file.string());
    fmt::print("{:<12} {:<52} {}\n", suite.name, file.filename().string(),
               s.ok() ? "pass" : "FAIL");
    if (s.ok()) {
      ++passed;
    } else {
      fmt::print("{}\n", Message(s));
    }
  }
  fmt::print("{:<12} {} of {} pass\n", suite.name, passed, files.size());
  if (files.size() < suite.least) fmt::print("{:<12} {} expected\n", suite.name, suite.least);
  return passed == files.size() && passed >= suite.least;
}

int Main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: raft_scripts DIR (of the Go module go.etcd.io/raft/v3)\n");
    return 2;
  }
  const Suite suites[] = {
      {"quorum", "quorum/testdata", 4, RunQuorumScript},
      {"confchange", "confchange/testdata", 9, RunMembershipScript},
      {"interaction", "testdata", 28, RunInteractionScript},
  };
  bool good = true;
  for (const Suite& suite : suites) good &= RunSuite(suite, argv[1]);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace tikv::raft::scripts

int main(int argc, char** argv) { return tikv::raft::scripts::Main(argc, argv); }
