// Reader of data-driven test files (the format of cockroachdb/datadriven): blocks of
//   command arg key=value key=(value, value)
//   input
//   ----
//   expected output
// ended by a blank line; '#' begins a comment.  Output that holds blank lines stands between
// doubled separators.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tikv::raft::scripts {

// `key=value` or a bare word of a command's line.
struct Arg {
  std::string key;
  std::vector<std::string> values;  // empty: a bare word
};

// One block of a script.
struct Step {
  int line = 0;
  std::string command;
  std::vector<Arg> args;
  std::string input;
  std::string expected;

  const Arg* Find(std::string_view key) const;
  // The bare words that are numbers.
  std::vector<uint64_t> Numbers() const;
};

absl::StatusOr<std::vector<Step>> ParseScript(std::string_view text);

// Runs `handle` on every step of the file.  OK when each output is as expected byte for byte; else
// a text with the first difference.
absl::Status RunScript(const std::string& path,
                       const std::function<std::string(const Step&)>& handle);

}  // namespace tikv::raft::scripts
