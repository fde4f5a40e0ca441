// The changes of one transaction: built up, then written at once.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/engine/engine.h"
#include "pd/meta/kv.h"
#include "pd/meta/mvcc/view.h"

namespace tikv::pd::meta {

// Everything it changes gets the revision `last_revision` + 1.  REQUIRES: no key is put twice
// (CheckTxn).  Not thread-safe.
class Writer {
 public:
  Writer(const engine::Reader& reader, int64_t last_revision, engine::WriteBatch* batch)
      : last_revision_(last_revision),
        batch_(batch),
        before_(reader, last_revision),
        now_(reader, last_revision, &changes_) {}

  // What is there with the changes so far, and without.
  const View& now() const { return now_; }
  const View& before() const { return before_; }

  // Both return what was there.
  absl::StatusOr<std::optional<KeyValue>> Put(const std::string& key, std::string value,
                                              int64_t lease);
  absl::StatusOr<std::vector<KeyValue>> DeleteRange(const KeyRange& range);

  bool changed() const { return position_ > 0; }
  // After the transaction: one more than before if anything changed.
  int64_t revision() const { return last_revision_ + (changed() ? 1 : 0); }
  std::vector<Event> TakeEvents() { return std::move(events_); }

 private:
  void Record(const std::string& key, std::string_view record);
  void Detach(const KeyValue& kv);

  const int64_t last_revision_;
  engine::WriteBatch* const batch_;
  Changes changes_;
  View before_;
  View now_;
  std::vector<Event> events_;
  uint32_t position_ = 0;
};

}  // namespace tikv::pd::meta
