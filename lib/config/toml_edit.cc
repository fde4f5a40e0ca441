#include "lib/config/toml_edit.h"

#include <optional>

#include "lib/base/status.h"
#include "lib/config/literal.h"

namespace tikv::config {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// `a."b" . c` as a.b.c; the keys of our programs hold no dots and no escapes.
std::string PlainKey(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c != '"' && c != '\'' && c != ' ' && c != '\t') out.push_back(c);
  }
  return out;
}

// Follows a text line by line, so that what stands inside strings and lists is not taken for keys.
class Lexer {
 public:
  // Where the comment of this line begins, or its end.
  size_t Line(std::string_view line) {
    for (size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (quote_ != 0) {
        InString(line, &i);
      } else if (c == '#') {
        return i;
      } else if (c == '"' || c == '\'') {
        quote_ = c;
        long_ = line.substr(i, 3) == std::string(3, c);
        if (long_) i += 2;
      } else if (c == '[' || c == '{') {
        ++depth_;
      } else if (c == ']' || c == '}') {
        --depth_;
      }
    }
    if (!long_) quote_ = 0;  // A short string ends with its line, whatever it says.
    return line.size();
  }
  bool inside() const { return quote_ != 0 || depth_ > 0; }

 private:
  void InString(std::string_view line, size_t* i) {
    if (line[*i] == '\\' && quote_ == '"') {
      ++*i;
    } else if (line[*i] == quote_ && (!long_ || line.substr(*i, 3) == std::string(3, quote_))) {
      if (long_) *i += 2;
      quote_ = 0;
      long_ = false;
    }
  }

  char quote_ = 0;
  bool long_ = false;  // Triple quotes.
  int depth_ = 0;
};

struct Line {
  std::string text;      // Without its end.
  std::string section;   // In which it stands; for a header the one it opens.
  std::string key;       // Dotted, with the section; empty for all but the first line of a value.
  size_t value = 0;      // Where the value begins.
  size_t comment = 0;    // Where the comment begins.
  bool complete = true;  // The value ends on this line.
};

std::string Join(const std::string& section, const std::string& key) {
  return section.empty() ? key : section + "." + key;
}

std::vector<Line> Read(std::string_view text) {
  std::vector<Line> lines;
  Lexer lexer;
  std::string section;
  while (!text.empty()) {
    const std::string_view raw = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(raw.size() + 1, text.size()));
    Line line{std::string(raw), section, "", 0, 0, true};
    const bool continued = lexer.inside();
    line.comment = lexer.Line(raw);
    line.complete = !lexer.inside();
    const std::string_view code = Trim(raw.substr(0, line.comment));
    const size_t equals = raw.find('=');
    if (continued || code.empty()) {
    } else if (code.front() == '[') {
      section = PlainKey(code.substr(1, code.find(']') - 1));
      line.section = section;
    } else if (equals < line.comment) {
      line.key = Join(section, PlainKey(raw.substr(0, equals)));
      line.value = equals + 1;
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

// The line after which a new key of the section goes; nullopt: no such section.
std::optional<size_t> EndOf(const std::vector<Line>& lines, const std::string& section) {
  std::optional<size_t> last;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].section == section && !Trim(lines[i].text).empty()) last = i;
  }
  return last;
}

void Set(const TomlEdit& edit, std::vector<Line>* lines) {
  for (Line& line : *lines) {
    if (line.key != edit.first || !line.complete) continue;
    std::string comment = line.text.substr(line.comment);
    if (!comment.empty()) comment = " " + comment;
    line.text = line.text.substr(0, line.value) + " " + edit.second + comment;
    return;
  }
  const size_t dot = edit.first.rfind('.');
  const std::string section = dot == std::string::npos ? "" : edit.first.substr(0, dot);
  const std::string name = dot == std::string::npos ? edit.first : edit.first.substr(dot + 1);
  const Line line{name + " = " + edit.second, section, edit.first, name.size() + 2, 0, true};
  const std::optional<size_t> end = EndOf(*lines, section);
  if (section.empty()) {
    lines->insert(lines->begin(), line);
  } else if (end.has_value()) {
    lines->insert(lines->begin() + static_cast<std::ptrdiff_t>(*end) + 1, line);
  } else {
    if (!lines->empty()) lines->push_back({});
    lines->push_back({"[" + section + "]", section, "", 0, 0, true});
    lines->push_back(line);
  }
}

}  // namespace

absl::StatusOr<std::string> EditToml(std::string_view text, const std::vector<TomlEdit>& edits) {
  std::vector<Line> lines = Read(text);
  for (const TomlEdit& edit : edits) {
    Set(edit, &lines);
    // What follows must see the positions of the text as it is now.
    std::string now;
    for (const Line& line : lines) now.append(line.text).push_back('\n');
    lines = Read(now);
  }
  std::string out;
  for (const Line& line : lines) out.append(line.text).push_back('\n');
  if (const auto parsed = ParseToml(out, "file"); !parsed.ok()) {
    return FailedPrecondition("the file has a form that only a person can change ({})",
                              Message(parsed.status()));
  }
  return out;
}

}  // namespace tikv::config
