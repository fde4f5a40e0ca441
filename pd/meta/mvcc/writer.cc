#include "pd/meta/mvcc/writer.h"

#include "lib/base/status.h"
#include "pd/meta/mvcc/layout.h"

namespace tikv::pd::meta {

using engine::Cf;

void Writer::Record(const std::string& key, std::string_view record) {
  const int64_t revision = last_revision_ + 1;
  batch_->Put(Cf::kDefault, DataKey(key, revision), record);
  batch_->Put(Cf::kDefault, HistoryKey(revision, position_++), key);
}

void Writer::Detach(const KeyValue& kv) {
  if (kv.lease != 0) batch_->Delete(Cf::kDefault, AttachedKey(kv.lease, kv.key));
}

absl::StatusOr<std::optional<KeyValue>> Writer::Put(const std::string& key, std::string value,
                                                    int64_t lease) {
  ASSIGN_OR_RETURN(std::optional<KeyValue> old, now_.Get(key));
  KeyValue kv{key, std::move(value), last_revision_ + 1, last_revision_ + 1, 1, lease};
  if (old) {
    kv.create_revision = old->create_revision;
    kv.version = old->version + 1;
    Detach(*old);
  }
  Record(key, EncodeRecord(kv.create_revision, kv.version, lease, kv.value));
  if (lease != 0) batch_->Put(Cf::kDefault, AttachedKey(lease, key), {});
  events_.push_back({.is_delete = false,
                     .kv = kv,
                     .has_prev = old.has_value(),
                     .prev = old.value_or(KeyValue{})});
  changes_[key] = std::move(kv);
  return old;
}

absl::StatusOr<std::vector<KeyValue>> Writer::DeleteRange(const KeyRange& range) {
  std::vector<KeyValue> old;
  RETURN_IF_ERROR(now_.Scan(range, false, [&](KeyValue kv) {
    old.push_back(std::move(kv));
    return true;
  }));
  for (const KeyValue& kv : old) {
    Record(kv.key, EncodeRecord(0, 0, 0, {}));
    Detach(kv);
    changes_[kv.key] = std::nullopt;
    KeyValue gone;
    gone.key = kv.key;
    gone.mod_revision = last_revision_ + 1;
    events_.push_back({.is_delete = true, .kv = std::move(gone), .has_prev = true, .prev = kv});
  }
  return old;
}

}  // namespace tikv::pd::meta
