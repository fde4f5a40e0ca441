#include "pd/meta/mvcc/view.h"

#include "lib/base/status.h"
#include "pd/meta/mvcc/layout.h"

namespace tikv::pd::meta {
namespace {

using engine::Cf;

// Old versions are skipped one by one this often before a seek is cheaper.
constexpr int kStepsBeforeSeek = 6;

absl::Status Corrupt() { return DataLoss("the metadata store holds a record that does not parse"); }

// Past every version of the key whose versions begin with `prefix`.
std::string PastVersions(std::string_view prefix) {
  std::string past(prefix);
  past.back() = '\2';
  return past;
}

std::string_view WithoutRevision(std::string_view engine_key) {
  return engine_key.substr(0, engine_key.size() < 8 ? 0 : engine_key.size() - 8);
}

engine::IteratorOptions Bounds(const KeyRange& range) {
  engine::IteratorOptions options;
  options.lower = DataKeyPrefix(range.key);
  if (range.end.empty()) {
    options.upper = PastVersions(options.lower);
  } else if (range.end == std::string_view("\0", 1)) {
    options.upper.assign(1, kDataPrefix + 1);
  } else {
    options.upper = DataKeyPrefix(range.end);
  }
  return options;
}

// Moves to the first version of the next key.
void SkipVersions(engine::Iterator* it, const std::string& prefix) {
  for (int i = 0; i < kStepsBeforeSeek && it->Valid(); ++i) {
    if (WithoutRevision(it->key()) != prefix) return;
    it->Next();
  }
  if (it->Valid() && WithoutRevision(it->key()) == prefix) it->Seek(PastVersions(prefix));
}

}  // namespace

absl::Status View::ScanEngine(const KeyRange& range, bool keys_only, Visitor visit) const {
  engine::IteratorOptions bounds = Bounds(range);
  if (bounds.lower >= bounds.upper) return absl::OkStatus();
  std::unique_ptr<engine::Iterator> it = reader_.NewIterator(Cf::kDefault, bounds);
  for (it->Seek(bounds.lower); it->Valid();) {
    std::optional<DataKeyParts> parts = ParseDataKey(it->key());
    if (!parts) return Corrupt();
    const std::string prefix(WithoutRevision(it->key()));
    if (parts->revision > revision_) {
      it->Seek(DataKey(parts->key, revision_));
      if (!it->Valid() || WithoutRevision(it->key()) != prefix) continue;
      parts = ParseDataKey(it->key());
      if (!parts) return Corrupt();
    }
    std::optional<Record> record = DecodeRecord(it->value(), keys_only);
    if (!record) return Corrupt();
    if (!record->deleted() &&
        !visit({std::move(parts->key), std::move(record->value), record->create_revision,
                parts->revision, record->version, record->lease})) {
      return absl::OkStatus();
    }
    SkipVersions(it.get(), prefix);
  }
  return it->status();
}

absl::Status View::Scan(const KeyRange& range, bool keys_only, Visitor visit) const {
  if (changes_ == nullptr || changes_->empty()) return ScanEngine(range, keys_only, visit);
  auto change = changes_->lower_bound(range.key);
  bool wanted = true;
  auto visit_change = [&] {
    if (change->second) {
      KeyValue kv = *change->second;
      if (keys_only) kv.value.clear();
      wanted = visit(std::move(kv));
    }
    ++change;
  };
  RETURN_IF_ERROR(ScanEngine(range, keys_only, [&](KeyValue kv) {
    while (wanted && change != changes_->end() && change->first < kv.key) visit_change();
    if (!wanted) return false;
    if (change != changes_->end() && change->first == kv.key) {
      visit_change();
    } else {
      wanted = visit(std::move(kv));
    }
    return wanted;
  }));
  while (wanted && change != changes_->end() && range.contains(change->first)) visit_change();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<KeyValue>> View::Get(std::string_view key) const {
  std::optional<KeyValue> found;
  RETURN_IF_ERROR(Scan(KeyRange::Single(std::string(key)), false, [&](KeyValue kv) {
    found = std::move(kv);
    return false;
  }));
  return found;
}

}  // namespace tikv::pd::meta
