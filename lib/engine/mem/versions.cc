#include "lib/engine/mem/versions.h"

namespace tikv::engine {

void Versions::Put(std::string_view key, std::optional<std::string> value, uint64_t sequence,
                   uint64_t newest_snapshot) {
  const bool deletion = !value.has_value();
  const auto it =
      map_.insert_or_assign(VersionKey{std::string(key), sequence}, std::move(value)).first;
  const auto older = std::next(it);
  const bool has_older = older != map_.end() && older->first.key == key;
  if (!has_older && !deletion) return;
  if (newest_snapshot == 0) {
    DropOldOf(key);
  } else {
    untidy_.emplace(key);
  }
}

void Versions::DropOldOf(std::string_view key) {
  auto it = map_.lower_bound(VersionKeyView{key, UINT64_MAX});
  if (it != map_.end() && it->first.key == key && it->second.has_value()) ++it;
  while (it != map_.end() && it->first.key == key) it = map_.erase(it);
}

void Versions::DropOld() {
  for (const std::string& key : untidy_) DropOldOf(key);
  untidy_.clear();
}

Versions::Place Versions::Find(std::string_view key, uint64_t sequence) const {
  const auto it = map_.lower_bound(VersionKeyView{key, sequence});
  if (it == map_.end() || it->first.key != key || !it->second.has_value()) return map_.end();
  return it;
}

Versions::Place Versions::FindNext(std::string_view from, uint64_t sequence) const {
  auto it = map_.lower_bound(VersionKeyView{from, UINT64_MAX});
  while (it != map_.end()) {
    const std::string& key = it->first.key;
    const auto visible = Find(key, sequence);
    if (visible != map_.end()) return visible;
    it = map_.upper_bound(VersionKeyView{key, 0});
  }
  return it;
}

Versions::Place Versions::FindPrevious(std::optional<std::string_view> before,
                                       uint64_t sequence) const {
  auto it = before ? map_.lower_bound(VersionKeyView{*before, UINT64_MAX}) : map_.end();
  while (it != map_.begin()) {
    const std::string& key = std::prev(it)->first.key;
    const auto visible = Find(key, sequence);
    if (visible != map_.end()) return visible;
    it = map_.lower_bound(VersionKeyView{key, UINT64_MAX});
  }
  return map_.end();
}

}  // namespace tikv::engine
