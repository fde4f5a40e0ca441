#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "lib/config/literal.h"

namespace tikv::config {
namespace {

using Json = nlohmann::ordered_json;  // For writing; finding a name in it is linear.

// Requests come from anybody: what is done with a table is recursive and quadratic.
constexpr int kMaxDepth = 16;
constexpr size_t kMaxMembers = 1024;

absl::StatusOr<Literal> FromJson(const nlohmann::json& json, int depth) {
  if (depth > kMaxDepth) return InvalidArgument("nested too deep");
  if (json.size() > kMaxMembers) return InvalidArgument("more than {} members", kMaxMembers);
  Literal out;
  if (json.is_object()) {
    Table table;
    for (const auto& [name, member] : json.items()) {
      ASSIGN_OR_RETURN(Literal literal, FromJson(member, depth + 1));
      table.emplace_back(name, std::move(literal));
    }
    out.value = std::move(table);
  } else if (json.is_array()) {
    List list;
    for (const nlohmann::json& element : json) {
      ASSIGN_OR_RETURN(Literal literal, FromJson(element, depth + 1));
      list.push_back(std::move(literal));
    }
    out.value = std::move(list);
  } else if (json.is_string()) {
    out.value = json.get<std::string>();
  } else if (json.is_boolean()) {
    out.value = json.get<bool>();
  } else if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) {
    out.value = json.get<double>();
  } else if (json.is_number_integer()) {
    out.value = json.get<int64_t>();
  } else if (json.is_number()) {
    out.value = json.get<double>();
  }
  return out;
}

Json ToJson(const Literal& literal);

Json ToJson(const Table& table) {
  Json out = Json::object();
  for (const auto& [name, literal] : table) out[name] = ToJson(literal);
  return out;
}

Json ToJson(const Literal& literal) {
  struct Visitor {
    Json operator()(std::monostate) { return nullptr; }
    Json operator()(bool v) { return v; }
    Json operator()(int64_t v) { return v; }
    Json operator()(double v) { return v; }
    Json operator()(const std::string& v) { return v; }
    Json operator()(const List& v) {
      Json out = Json::array();
      for (const Literal& element : v) out.push_back(ToJson(element));
      return out;
    }
    Json operator()(const Table& v) { return ToJson(v); }
  };
  return std::visit(Visitor{}, literal.value);
}

std::string Text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<Table> ParseJson(std::string_view text) {
  const auto json =
      nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return InvalidArgument("not JSON");
  if (!json.is_object()) return InvalidArgument("not a JSON object");
  ASSIGN_OR_RETURN(Literal literal, FromJson(json, 0));
  return std::get<Table>(std::move(literal.value));
}

std::string WriteJson(const Table& table) { return Text(ToJson(table), 2); }
std::string WriteJson(const Literal& literal) { return Text(ToJson(literal), -1); }

}  // namespace tikv::config
