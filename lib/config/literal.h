// A value as a file or a request spells it, before it is known what is expected; and as it is shown
// again.  The one form between the structs on one side and TOML and JSON on the other.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tikv::config {

struct Literal;
struct Member;
using List = std::vector<Literal>;
using Table = std::vector<Member>;  // In the order of declaration.

// One value with the line it stood on.
struct Literal {
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Table> value;
  int line = 0;  // 0: unknown.
};

// A named value of a table.
struct Member {
  Member(std::string_view n, Literal l) : name(n), literal(std::move(l)) {}
  std::string name;
  Literal literal;
};

// The member called `name`, null when there is none.
Literal* Find(Table* table, std::string_view name);

// `name` is for messages.  InvalidArgument: "tikv.toml:3: ...".
absl::StatusOr<Table> ParseToml(std::string_view text, std::string_view name);
// InvalidArgument when it is not a JSON object, or nested too deep.
absl::StatusOr<Table> ParseJson(std::string_view text);

std::string WriteToml(const Table& table);
std::string WriteJson(const Table& table);
// One value in TOML; REQUIRES: not a table.
std::string WriteToml(const Literal& literal);
// One value as JSON, for messages.
std::string WriteJson(const Literal& literal);

}  // namespace tikv::config
