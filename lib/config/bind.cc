#include "lib/config/bind.h"

#include <cmath>
#include <concepts>
#include <limits>

#include "lib/base/status.h"

namespace tikv::config {
namespace {

// Why a literal does not fit; empty when it does and has been stored.
using Why = std::string;

std::string Bounds(const FieldOptions& o, auto format) {
  if (o.min > -1e300 && o.max < 1e300) {
    return fmt::format("expected {} to {}", format(o.min), format(o.max));
  }
  return o.min > -1e300 ? fmt::format("expected at least {}", format(o.min))
                        : fmt::format("expected at most {}", format(o.max));
}

bool InBounds(double v, const FieldOptions& o) { return v >= o.min && v <= o.max; }

std::string ShowNumber(double v) { return fmt::format("{}", v); }

Why Store(const Literal& from, bool* to, const FieldOptions&) {
  const auto* v = std::get_if<bool>(&from.value);
  if (v == nullptr) return "expected true or false";
  *to = *v;
  return {};
}

template <std::integral T>
Why Store(const Literal& from, T* to, const FieldOptions& options) {
  const auto* v = std::get_if<int64_t>(&from.value);
  if (v == nullptr) return "expected an integer";
  if (!std::in_range<T>(*v)) {
    return std::unsigned_integral<T> && *v < 0 ? "must not be negative" : "too large";
  }
  if (!InBounds(static_cast<double>(*v), options)) return Bounds(options, ShowNumber);
  *to = static_cast<T>(*v);
  return {};
}

Why Store(const Literal& from, double* to, const FieldOptions& options) {
  double v = 0;
  if (const auto* number = std::get_if<double>(&from.value)) {
    v = *number;
  } else if (const auto* integer = std::get_if<int64_t>(&from.value)) {
    v = static_cast<double>(*integer);
  } else {
    return "expected a number";
  }
  if (!std::isfinite(v)) return "expected a finite number";
  if (!InBounds(v, options)) return Bounds(options, ShowNumber);
  *to = v;
  return {};
}

Why Store(const Literal& from, std::string* to, const FieldOptions& options) {
  const auto* v = std::get_if<std::string>(&from.value);
  if (v == nullptr) return "expected a text";
  if (!options.one_of.empty()) {
    std::string names;
    for (const std::string_view name : options.one_of) {
      if (name == *v) {
        *to = *v;
        return {};
      }
      names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", name);
    }
    return "expected one of " + names;
  }
  *to = *v;
  return {};
}

Why Store(const Literal& from, Size* to, const FieldOptions& options) {
  constexpr const char* kExpected = "expected a size such as \"96MiB\"";
  Size size;
  if (const auto* integer = std::get_if<int64_t>(&from.value)) {
    if (*integer < 0) return "must not be negative";
    size.bytes = static_cast<uint64_t>(*integer);
  } else if (const auto* text = std::get_if<std::string>(&from.value)) {
    const auto parsed = ParseSize(*text);
    if (!parsed.ok()) return kExpected;
    size = *parsed;
  } else {
    return kExpected;
  }
  if (!InBounds(static_cast<double>(size.bytes), options)) {
    return Bounds(options, [](double v) { return FormatSize({static_cast<uint64_t>(v)}); });
  }
  *to = size;
  return {};
}

Why Store(const Literal& from, Duration* to, const FieldOptions& options) {
  constexpr const char* kExpected = "expected a duration such as \"1s\" or \"10ms\"";
  const auto* text = std::get_if<std::string>(&from.value);
  if (text == nullptr) return kExpected;
  const auto parsed = ParseDuration(*text);
  if (!parsed.ok()) return kExpected;
  if (!InBounds(static_cast<double>(parsed->count()), options)) {
    return Bounds(options,
                  [](double v) { return FormatDuration(Duration(static_cast<int64_t>(v))); });
  }
  *to = *parsed;
  return {};
}

std::vector<std::string> SplitCommas(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    out.emplace_back(item);
    text.remove_prefix(std::min(item.size() + 1, text.size()));
  }
  return out;
}

Why Store(const Literal& from, std::vector<std::string>* to, const FieldOptions& options) {
  const auto* text = std::get_if<std::string>(&from.value);
  if (text != nullptr && options.comma_list) {
    *to = SplitCommas(*text);
    return {};
  }
  const auto* list = std::get_if<List>(&from.value);
  if (list == nullptr) return "expected a list of texts";
  std::vector<std::string> out;
  for (const Literal& element : *list) {
    const auto* item = std::get_if<std::string>(&element.value);
    if (item == nullptr) return "expected a list of texts";
    out.push_back(*item);
  }
  *to = std::move(out);
  return {};
}

Why Store(const Literal& from, std::map<std::string, std::string>* to, const FieldOptions&) {
  const auto* table = std::get_if<Table>(&from.value);
  if (table == nullptr) return "expected a table of texts";
  std::map<std::string, std::string> out;
  for (const auto& [name, member] : *table) {
    const auto* text = std::get_if<std::string>(&member.value);
    if (text == nullptr) return "expected a table of texts";
    out[name] = *text;
  }
  *to = std::move(out);
  return {};
}

}  // namespace

Binder::Binder(Table table, std::string source, bool online_only)
    : root_(std::move(table)), source_(std::move(source)), online_only_(online_only) {
  tables_.push_back(&root_);
}

std::string Binder::Place(int line) const {
  if (source_.empty()) return {};
  return line > 0 ? fmt::format("{}:{}: ", source_, line) : source_ + ": ";
}

std::string Binder::Path(std::string_view name) const {
  std::string path;
  for (const std::string& section : path_) path += section + ".";
  return path.append(name);
}

void Binder::Fail(std::string_view name, const Literal& literal, const std::string& why) {
  if (!status_.ok()) return;
  status_ =
      InvalidArgument("{}{} = {}: {}", Place(literal.line), Path(name), WriteJson(literal), why);
}

void Binder::OnField(std::string_view name, FieldRef field, const FieldOptions& options) {
  const Literal* literal = Find(tables_.back(), name);
  if (literal == nullptr) return;
  taken_.insert(literal);
  if (online_only_ && !options.online) {
    Fail(name, *literal, "cannot be changed while the program runs");
    return;
  }
  const Why why = std::visit([&](auto* to) { return Store(*literal, to, options); }, field);
  if (!why.empty()) Fail(name, *literal, why);
}

bool Binder::Enter(std::string_view name) {
  Literal* literal = Find(tables_.back(), name);
  if (literal == nullptr) return false;
  taken_.insert(literal);
  Table* table = std::get_if<Table>(&literal->value);
  if (table == nullptr) {
    Fail(name, *literal, "expected a table");
    return false;
  }
  sections_.insert(literal);
  tables_.push_back(table);
  path_.emplace_back(name);
  return true;
}

void Binder::Leave() {
  tables_.pop_back();
  path_.pop_back();
}

std::vector<std::string> Binder::UnknownKeys() const {
  std::vector<std::string> keys;
  Unknown(root_, "", &keys);
  return keys;
}

void Binder::Unknown(const Table& table, const std::string& path,
                     std::vector<std::string>* out) const {
  for (const auto& [name, literal] : table) {
    if (!taken_.contains(&literal)) {
      out->push_back(fmt::format("{}unknown key {}{}", Place(literal.line), path, name));
    } else if (sections_.contains(&literal)) {
      Unknown(std::get<Table>(literal.value), path + name + ".", out);
    }
  }
}

namespace {

struct Show {
  const Dumper::Options& dump;
  const FieldOptions& field;

  Literal operator()(const bool* v) { return {*v}; }
  template <std::integral T>
  Literal operator()(const T* v) {
    // Beyond int64 only as an approximation; no key of ours goes there.
    if (!std::in_range<int64_t>(*v)) return {static_cast<double>(*v)};
    return {static_cast<int64_t>(*v)};
  }
  Literal operator()(const double* v) { return {*v}; }
  Literal operator()(const std::string* v) { return {*v}; }
  Literal operator()(const Size* v) { return {FormatSize(*v)}; }
  Literal operator()(const Duration* v) { return {FormatDuration(*v, dump.durations)}; }
  Literal operator()(const std::vector<std::string>* v) {
    if (field.comma_list && dump.for_json) {
      std::string text;
      for (const std::string& item : *v) text += (text.empty() ? "" : ",") + item;
      return {text};
    }
    List list;
    for (const std::string& item : *v) list.push_back({item});
    return {std::move(list)};
  }
  Literal operator()(const std::map<std::string, std::string>* v) {
    Table table;
    for (const auto& [name, text] : *v) table.emplace_back(name, Literal{text});
    return {std::move(table)};
  }
};

}  // namespace

void Dumper::OnField(std::string_view name, FieldRef field, const FieldOptions& options) {
  if (options.hidden) return;
  tables_.back().emplace_back(name, std::visit(Show{options_, options}, field));
}

bool Dumper::Enter(std::string_view name) {
  tables_.emplace_back();
  names_.emplace_back(name);
  return true;
}

void Dumper::Leave() {
  Table inner = std::move(tables_.back());
  tables_.pop_back();
  tables_.back().emplace_back(std::move(names_.back()), Literal{std::move(inner)});
  names_.pop_back();
}

void Lister::OnField(std::string_view name, FieldRef, const FieldOptions& options) {
  entries.push_back({prefix_ + std::string(name), options.online});
}

bool Lister::Enter(std::string_view name) {
  prefix_.append(name).append(".");
  return true;
}

void Lister::Leave() {
  prefix_.pop_back();
  const size_t dot = prefix_.rfind('.');
  prefix_.resize(dot == std::string::npos ? 0 : dot + 1);
}

}  // namespace tikv::config
