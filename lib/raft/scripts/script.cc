#include "lib/raft/scripts/script.h"

#include <cctype>
#include <fstream>
#include <sstream>

#include "lib/base/status.h"

namespace tikv::raft::scripts {
namespace {

constexpr std::string_view kSeparator = "----";

std::string_view Trim(std::string_view s) {
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front()))) s.remove_prefix(1);
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.remove_suffix(1);
  return s;
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Splits at spaces outside of parentheses.
std::vector<std::string> Words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  int depth = 0;
  for (char c : line) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (depth == 0 && std::isspace(static_cast<unsigned char>(c))) {
      if (!word.empty()) words.push_back(std::move(word));
      word.clear();
    } else {
      word += c;
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

Arg ParseArg(const std::string& word) {
  const size_t equals = word.find('=');
  if (equals == std::string::npos) return {word, {}};
  Arg arg{word.substr(0, equals), {}};
  std::string_view rest = std::string_view(word).substr(equals + 1);
  if (rest.empty() || rest.front() != '(') {
    arg.values.emplace_back(rest);
    return arg;
  }
  rest = rest.substr(1, rest.size() - 2);
  while (!Trim(rest).empty()) {
    const size_t comma = rest.find(',');
    arg.values.emplace_back(Trim(rest.substr(0, comma)));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return arg;
}

// Takes the expected output that begins at lines[*i], just after the separator.
std::string TakeExpected(const std::vector<std::string>& lines, size_t* i) {
  std::string expected;
  const bool doubled = *i < lines.size() && lines[*i] == kSeparator;
  if (doubled) ++*i;
  for (; *i < lines.size(); ++*i) {
    if (doubled && lines[*i] == kSeparator && *i + 1 < lines.size() &&
        lines[*i + 1] == kSeparator) {
      *i += 2;
      break;
    }
    if (!doubled && Trim(lines[*i]).empty()) break;
    expected += lines[*i] + "\n";
  }
  return expected;
}

std::string FirstDifference(const Step& step, const std::string& got) {
  const std::vector<std::string> want_lines = Lines(step.expected);
  const std::vector<std::string> got_lines = Lines(got);
  size_t i = 0;
  while (i < want_lines.size() && i < got_lines.size() && want_lines[i] == got_lines[i]) ++i;
  const auto line = [i](const std::vector<std::string>& lines) {
    return i < lines.size() ? lines[i] : std::string("(end)");
  };
  return fmt::format("line {} ({}), output line {}:\n  want: {}\n  got:  {}", step.line,
                     step.command, i + 1, line(want_lines), line(got_lines));
}

}  // namespace

const Arg* Step::Find(std::string_view key) const {
  for (const Arg& arg : args) {
    if (arg.key == key) return &arg;
  }
  return nullptr;
}

std::vector<uint64_t> Step::Numbers() const {
  std::vector<uint64_t> numbers;
  for (const Arg& arg : args) {
    if (arg.values.empty() && arg.key.find_first_not_of("0123456789") == std::string::npos) {
      numbers.push_back(std::stoull(arg.key));
    }
  }
  return numbers;
}

absl::StatusOr<std::vector<Step>> ParseScript(std::string_view text) {
  const std::vector<std::string> lines = Lines(text);
  std::vector<Step> steps;
  size_t i = 0;
  while (i < lines.size()) {
    const std::string_view line = Trim(lines[i]);
    if (line.empty() || line.front() == '#') {
      ++i;
      continue;
    }
    Step step;
    step.line = static_cast<int>(i) + 1;
    std::vector<std::string> words = Words(line);
    step.command = words.front();
    for (size_t w = 1; w < words.size(); ++w) step.args.push_back(ParseArg(words[w]));
    for (++i; i < lines.size() && lines[i] != kSeparator; ++i) step.input += lines[i] + "\n";
    if (i == lines.size()) return InvalidArgument("line {}: no separator follows", step.line);
    ++i;
    step.expected = TakeExpected(lines, &i);
    steps.push_back(std::move(step));
  }
  return steps;
}

absl::Status RunScript(const std::string& path,
                       const std::function<std::string(const Step&)>& handle) {
  std::ifstream file(path);
  if (!file) return NotFound("cannot open {}", path);
  std::stringstream text;
  text << file.rdbuf();
  ASSIGN_OR_RETURN(const std::vector<Step> steps, ParseScript(text.str()));
  if (steps.empty()) return InvalidArgument("no steps in {}", path);
  for (const Step& step : steps) {
    std::string got = handle(step);
    if (!got.empty() && got.back() != '\n') got += '\n';
    // Trailing blank lines of an output cannot be told from those between the blocks.
    while (got.size() >= 2 && got.substr(got.size() - 2) == "\n\n") got.pop_back();
    if (got != step.expected) return Internal("{}", FirstDifference(step, got));
  }
  return absl::OkStatus();
}

}  // namespace tikv::raft::scripts
