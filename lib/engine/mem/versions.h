// An ordered map that remembers what its snapshots still see.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace tikv::engine {

// Key, then newest version first.
struct VersionKey {
  std::string key;
  uint64_t sequence;
};
// The same without a copy, to look up with.
struct VersionKeyView {
  std::string_view key;
  uint64_t sequence;
};
// Orders both kinds together.
struct VersionLess {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    const int c = std::string_view(a.key).compare(b.key);
    return c != 0 ? c < 0 : a.sequence > b.sequence;
  }
};

// One column family.  Not thread-safe.
class Versions {
 public:
  using Map = std::map<VersionKey, std::optional<std::string>, VersionLess>;  // nullopt: deleted.
  using Place = Map::const_iterator;

  // `newest_snapshot` is 0 without snapshots; versions that nobody can see are dropped at once.
  void Put(std::string_view key, std::optional<std::string> value, uint64_t sequence,
           uint64_t newest_snapshot);
  // To be called when no snapshot is left: keeps the newest version of each key.
  void DropOld();

  // The version of `key` at `sequence`; end() when there is none or it was deleted.
  Place Find(std::string_view key, uint64_t sequence) const;
  // The first living key >= `from`, as of `sequence`.
  Place FindNext(std::string_view from, uint64_t sequence) const;
  // The last living key < `before` (nullopt: the last of all).
  Place FindPrevious(std::optional<std::string_view> before, uint64_t sequence) const;
  Place end() const { return map_.end(); }

 private:
  void DropOldOf(std::string_view key);

  Map map_;
  std::set<std::string> untidy_;  // Keys with more than one version, or a deletion.
};

}  // namespace tikv::engine
