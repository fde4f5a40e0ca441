// The keys as of one revision.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/engine/engine.h"
#include "pd/meta/kv.h"

namespace tikv::pd::meta {

// Changes of a transaction that is not written yet; nullopt: deleted.
using Changes = std::map<std::string, std::optional<KeyValue>, std::less<>>;

// Reads from `reader` (the engine, or a snapshot of it) what was there at `revision`, with
// `changes` on top when given.  Holds references only.  Errors are those of the disk; a record
// that does not parse is DataLoss.
class View {
 public:
  View(const engine::Reader& reader, int64_t revision, const Changes* changes = nullptr)
      : reader_(reader), revision_(revision), changes_(changes) {}

  int64_t revision() const { return revision_; }
  // The same store at an older revision.
  View At(int64_t revision) const { return View(reader_, revision); }

  absl::StatusOr<std::optional<KeyValue>> Get(std::string_view key) const;

  // Calls `visit` for the keys in the range, ascending, until it returns false.
  using Visitor = absl::FunctionRef<bool(KeyValue kv)>;
  absl::Status Scan(const KeyRange& range, bool keys_only, Visitor visit) const;

 private:
  absl::Status ScanEngine(const KeyRange& range, bool keys_only, Visitor visit) const;

  const engine::Reader& reader_;
  const int64_t revision_;
  const Changes* changes_;
};

}  // namespace tikv::pd::meta
