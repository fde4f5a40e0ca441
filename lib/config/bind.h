// Moves values between literals and the structs that declare them.
#pragma once

#include <absl/status/status.h>

#include <set>
#include <string>
#include <vector>

#include "lib/config/literal.h"
#include "lib/config/visitor.h"

namespace tikv::config {

// Stores what a table says into the fields visited.  After the visit: status() is the first error,
// UnknownKeys() names what no field took.
class Binder : public Visitor {
 public:
  // `source` starts messages, "tikv.toml"; empty for requests.  `online_only` refuses fields that
  // cannot change while the program runs.
  Binder(Table table, std::string source, bool online_only);

  const absl::Status& status() const { return status_; }
  std::vector<std::string> UnknownKeys() const;

 protected:
  void OnField(std::string_view name, FieldRef field, const FieldOptions& options) override;
  bool Enter(std::string_view name) override;
  void Leave() override;

 private:
  std::string Place(int line) const;  // "tikv.toml:3: "
  std::string Path(std::string_view name) const;
  void Fail(std::string_view name, const Literal& literal, const std::string& why);
  void Unknown(const Table& table, const std::string& path, std::vector<std::string>* out) const;

  Table root_;
  std::string source_;
  bool online_only_;
  std::vector<Table*> tables_;  // The innermost section last.
  std::vector<std::string> path_;
  std::set<const Literal*> taken_;     // By fields and sections.
  std::set<const Literal*> sections_;  // Whose members are taken one by one.
  absl::Status status_;
};

// Collects the fields visited into a table.
class Dumper : public Visitor {
 public:
  struct Options {
    DurationStyle durations = DurationStyle::kTikv;
    bool for_json = false;
  };
  explicit Dumper(Options options) : options_(options) { tables_.push_back({}); }

  Table Take() && { return std::move(tables_.front()); }

 protected:
  void OnField(std::string_view name, FieldRef field, const FieldOptions& options) override;
  bool Enter(std::string_view name) override;
  void Leave() override;

 private:
  Options options_;
  std::vector<Table> tables_;
  std::vector<std::string> names_;
};

// Lists the fields visited by their dotted names.
class Lister : public Visitor {
 public:
  struct Entry {
    std::string key;
    bool online = false;
  };
  std::vector<Entry> entries;

 protected:
  void OnField(std::string_view name, FieldRef field, const FieldOptions& options) override;
  bool Enter(std::string_view name) override;
  void Leave() override;

 private:
  std::string prefix_;
};

}  // namespace tikv::config
