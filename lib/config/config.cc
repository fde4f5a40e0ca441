#include "lib/config/config.h"

#include "lib/config/bind.h"
#include "lib/config/literal.h"
#include "lib/config/toml_edit.h"

namespace tikv::config {
namespace {

constexpr int kMaxSections = 8;  // Around one key; keys come from anybody.

// {"a.b": 1} becomes {"a": {"b": 1}}.  InvalidArgument when a name is both a value and a section.
absl::Status Insert(std::string_view key, Literal literal, Table* table) {
  std::string_view rest = key;
  for (int depth = 0; depth <= kMaxSections; ++depth) {
    const size_t dot = rest.find('.');
    const std::string_view head = rest.substr(0, dot);
    Literal* present = Find(table, head);
    if (dot == std::string_view::npos) {
      if (present != nullptr) return InvalidArgument("{} is given twice", key);
      table->emplace_back(head, std::move(literal));
      return absl::OkStatus();
    }
    if (present == nullptr) present = &table->emplace_back(head, Literal{Table{}}).literal;
    table = std::get_if<Table>(&present->value);
    if (table == nullptr) return InvalidArgument("{} is given twice", head);
    rest.remove_prefix(dot + 1);
  }
  return InvalidArgument("too many dots in a key");
}

absl::Status FirstOf(const std::vector<std::string>& warnings) {
  return warnings.empty() ? absl::OkStatus() : InvalidArgument("{}", warnings.front());
}

absl::StatusOr<Table> Nested(std::string_view json) {
  ASSIGN_OR_RETURN(Table flat, ParseJson(json));
  Table nested;
  for (auto& [key, literal] : flat) RETURN_IF_ERROR(Insert(key, std::move(literal), &nested));
  return nested;
}

// The scalars of `now` that `named` has too, as edits.
void Collect(const Table& named, Table* now, const std::string& path, std::vector<TomlEdit>* out) {
  for (const auto& [name, literal] : named) {
    Literal* value = Find(now, name);
    if (value == nullptr) continue;
    Table* inner = std::get_if<Table>(&value->value);
    const Table* names = std::get_if<Table>(&literal.value);
    if (inner == nullptr) {
      out->emplace_back(path + name, WriteToml(*value));
    } else if (names != nullptr) {
      Collect(*names, inner, path + name + ".", out);
    }
  }
}

Table Dump(Dumper::Options options, const internal::VisitFn& visit) {
  Dumper dumper(options);
  visit(&dumper);
  return std::move(dumper).Take();
}

}  // namespace

namespace internal {

absl::StatusOr<std::vector<std::string>> Load(std::string_view text, std::string_view name,
                                              bool strict, const VisitFn& visit) {
  ASSIGN_OR_RETURN(Table table, ParseToml(text, name));
  Binder binder(std::move(table), std::string(name), /*online_only=*/false);
  visit(&binder);
  RETURN_IF_ERROR(binder.status());
  std::vector<std::string> warnings = binder.UnknownKeys();
  if (strict) RETURN_IF_ERROR(FirstOf(warnings));
  return warnings;
}

absl::Status Change(std::string_view json, bool online_only, const VisitFn& visit) {
  ASSIGN_OR_RETURN(Table nested, Nested(json));
  Binder binder(std::move(nested), "", online_only);
  visit(&binder);
  RETURN_IF_ERROR(binder.status());
  return FirstOf(binder.UnknownKeys());
}

absl::StatusOr<std::string> PutIntoToml(std::string_view text, std::string_view json,
                                        DurationStyle durations, const VisitFn& visit) {
  ASSIGN_OR_RETURN(const Table named, Nested(json));
  Table now = Dump({.durations = durations, .for_json = false}, visit);
  std::vector<TomlEdit> edits;
  Collect(named, &now, "", &edits);
  return EditToml(text, edits);
}

std::string ToToml(DurationStyle durations, const VisitFn& visit) {
  return WriteToml(Dump({.durations = durations, .for_json = false}, visit));
}

std::string ToJson(DurationStyle durations, const VisitFn& visit) {
  return WriteJson(Dump({.durations = durations, .for_json = true}, visit));
}

}  // namespace internal

std::vector<KeyInfo> ListKeys(const internal::VisitFn& visit) {
  Lister lister;
  visit(&lister);
  std::vector<KeyInfo> out;
  for (Lister::Entry& entry : lister.entries) out.push_back({std::move(entry.key), entry.online});
  return out;
}

}  // namespace tikv::config
