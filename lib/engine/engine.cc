#include "lib/engine/engine.h"

#include "lib/base/status.h"

namespace tikv::engine {

absl::StatusOr<bool> Reader::Get(Cf cf, std::string_view key, PinnedValue* value) const {
  return Get(cf, key, value, ReadOptions{});
}

absl::StatusOr<bool> Reader::Get(Cf cf, std::string_view key, std::string* value) const {
  PinnedValue pinned;
  ASSIGN_OR_RETURN(const bool found, Get(cf, key, &pinned, ReadOptions{}));
  if (found) value->assign(pinned.view());
  return found;
}

absl::StatusOr<std::vector<std::string>> SplitKeys(const Reader& reader, Cf cf,
                                                   std::string_view begin, std::string_view end,
                                                   uint64_t piece_bytes, size_t max_keys) {
  std::vector<std::string> keys;
  auto it = reader.NewIterator(
      cf, {.lower = std::string(begin), .upper = std::string(end), .fill_cache = false});
  uint64_t bytes = 0;
  for (it->SeekToFirst(); it->Valid() && keys.size() < max_keys; it->Next()) {
    if (bytes >= piece_bytes && it->key() > begin) {
      keys.emplace_back(it->key());
      bytes = 0;
    }
    bytes += it->key().size() + it->value().size();
  }
  RETURN_IF_ERROR(it->status());
  return keys;
}

}  // namespace tikv::engine
