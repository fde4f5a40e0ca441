#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <fmt/format.h>
#include <toml++/toml.h>

#include "lib/base/status.h"
#include "lib/config/literal.h"

namespace tikv::config {
namespace {

Literal Convert(const toml::node& node);

Table ConvertTable(const toml::table& table) {
  Table out;
  for (const auto& [key, node] : table) out.emplace_back(std::string(key.str()), Convert(node));
  return out;
}

Literal Convert(const toml::node& node) {
  Literal out;
  out.line = static_cast<int>(node.source().begin.line);
  if (const auto* table = node.as_table()) {
    out.value = ConvertTable(*table);
  } else if (const auto* array = node.as_array()) {
    List list;
    for (const toml::node& element : *array) list.push_back(Convert(element));
    out.value = std::move(list);
  } else if (const auto* text = node.as_string()) {
    out.value = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.value = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    out.value = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.value = boolean->get();
  }  // Dates stay empty: no field takes one.
  return out;
}

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Key(std::string_view name) {
  for (const char c : name) {
    const bool bare = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
    if (!bare) return Quote(name);
  }
  return name.empty() ? "\"\"" : std::string(name);
}

std::string Scalar(const Literal& literal) {
  if (const auto* b = std::get_if<bool>(&literal.value)) return *b ? "true" : "false";
  if (const auto* i = std::get_if<int64_t>(&literal.value)) return fmt::format("{}", *i);
  if (const auto* s = std::get_if<std::string>(&literal.value)) return Quote(*s);
  if (const auto* d = std::get_if<double>(&literal.value)) return fmt::format("{:#}", *d);
  std::string out = "[";
  if (const auto* list = std::get_if<List>(&literal.value)) {
    for (const Literal& element : *list) out += (out.size() > 1 ? ", " : "") + Scalar(element);
  }
  return out + "]";
}

// Scalars first: after a table's header every key would belong to that table.
void Write(const Table& table, const std::string& path, std::string* out) {
  for (const auto& [name, literal] : table) {
    if (!std::holds_alternative<Table>(literal.value)) {
      *out += Key(name) + " = " + Scalar(literal) + "\n";
    }
  }
  for (const auto& [name, literal] : table) {
    if (const auto* inner = std::get_if<Table>(&literal.value)) {
      const std::string inner_path = path.empty() ? Key(name) : path + "." + Key(name);
      *out += (out->empty() ? "[" : "\n[") + inner_path + "]\n";
      Write(*inner, inner_path, out);
    }
  }
}

}  // namespace

Literal* Find(Table* table, std::string_view name) {
  for (auto& [key, literal] : *table) {
    if (key == name) return &literal;
  }
  return nullptr;
}

absl::StatusOr<Table> ParseToml(std::string_view text, std::string_view name) {
  const toml::parse_result result = toml::parse(text);
  if (!result) {
    return InvalidArgument("{}:{}: {}", name, result.error().source().begin.line,
                           result.error().description());
  }
  return ConvertTable(result.table());
}

std::string WriteToml(const Literal& literal) { return Scalar(literal); }

std::string WriteToml(const Table& table) {
  std::string out;
  Write(table, "", &out);
  return out;
}

}  // namespace tikv::config
