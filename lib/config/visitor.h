// How a program declares its configuration: plain structs whose Visit names their fields.
//
//   struct RaftstoreConfig {
//     uint64_t raft_log_gc_threshold = 50;
//     Duration raft_base_tick_interval = std::chrono::milliseconds(100);
//     void Visit(config::Visitor& v) {
//       v.Field("raft-log-gc-threshold", raft_log_gc_threshold, {.online = true, .min = 1});
//       v.Field("raft-base-tick-interval", raft_base_tick_interval);
//     }
//   };
//   struct Config {
//     std::string addr = "127.0.0.1:20160";
//     RaftstoreConfig raftstore;
//     void Visit(config::Visitor& v) {
//       v.Field("addr", addr);
//       v.Section("raftstore", raftstore);
//     }
//     absl::Status Validate() const;   // What concerns several fields.
//   };
//
// Default values are the struct's own initialisers.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/config/units.h"

namespace tikv::config {

// What holds for one field.
struct FieldOptions {
  bool online = false;  // May be changed while the program runs.
  // Bounds, inclusive, of numbers; of sizes in bytes, of durations in nanoseconds.
  double min = -1e300;
  double max = 1e300;
  std::vector<std::string_view> one_of = {};  // The only texts allowed.
  // PD's lists: one text with commas in JSON; files may hold either form.
  bool comma_list = false;
  bool hidden = false;  // Read, but not shown.
};

using FieldRef =
    std::variant<bool*, int32_t*, int64_t*, uint32_t*, uint64_t*, double*, std::string*, Size*,
                 Duration*, std::vector<std::string>*, std::map<std::string, std::string>*>;

// Walks over a configuration; the readers and writers of config.h derive from it.
class Visitor {
 public:
  virtual ~Visitor() = default;

  template <class T>
  void Field(std::string_view name, T& value, const FieldOptions& options = {}) {
    OnField(name, FieldRef(&value), options);
  }
  template <class S>
  void Section(std::string_view name, S& section) {
    if (!Enter(name)) return;
    section.Visit(*this);
    Leave();
  }

 protected:
  virtual void OnField(std::string_view name, FieldRef field, const FieldOptions& options) = 0;
  virtual bool Enter(std::string_view name) = 0;  // False: skip the section.
  virtual void Leave() = 0;
};

}  // namespace tikv::config
