#include "pd/meta/mvcc/history.h"

#include "lib/base/status.h"
#include "pd/meta/mvcc/layout.h"
#include "pd/meta/mvcc/view.h"

namespace tikv::pd::meta {
namespace {

absl::StatusOr<Event> ReadEvent(const engine::Reader& reader, int64_t revision, std::string key) {
  Event event;
  ASSIGN_OR_RETURN(std::optional<KeyValue> now, View(reader, revision).Get(key));
  event.is_delete = !now.has_value();
  if (now) {
    event.kv = std::move(*now);
  } else {
    event.kv.key = key;
    event.kv.mod_revision = revision;
  }
  ASSIGN_OR_RETURN(std::optional<KeyValue> before, View(reader, revision - 1).Get(key));
  event.has_prev = before.has_value();
  if (before) event.prev = std::move(*before);
  return event;
}

}  // namespace

absl::Status ReadHistory(const engine::Reader& reader, int64_t from, int64_t to,
                         absl::FunctionRef<bool(std::vector<Event> events)> visit) {
  auto it = reader.NewIterator(engine::Cf::kDefault,
                               {.lower = HistoryKey(from, 0), .upper = HistoryKey(to + 1, 0)});
  std::vector<Event> events;
  int64_t current = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::optional<int64_t> revision = ParseHistoryKey(it->key());
    if (!revision) return DataLoss("the metadata store's history does not parse");
    if (*revision != current && !events.empty()) {
      if (!visit(std::move(events))) return absl::OkStatus();
      events.clear();
    }
    current = *revision;
    ASSIGN_OR_RETURN(Event event, ReadEvent(reader, current, std::string(it->value())));
    events.push_back(std::move(event));
  }
  RETURN_IF_ERROR(it->status());
  if (!events.empty()) visit(std::move(events));
  return absl::OkStatus();
}

}  // namespace tikv::pd::meta
