#include "pd/meta/kv.h"

#include <fmt/core.h>

#include "lib/base/bytes.h"
#include "pd/meta/meta_store.h"

namespace tikv::pd::meta {

KeyRange KeyRange::Prefix(std::string prefix) {
  std::string end = PrefixEnd(prefix);
  if (end.empty()) end.assign(1, '\0');
  if (prefix.empty()) prefix.assign(1, '\0');
  return {std::move(prefix), std::move(end)};
}

bool KeyRange::contains(std::string_view k) const {
  if (end.empty()) return k == key;
  return k >= key && (end == std::string_view("\0", 1) || k < end);
}

std::string KeyRoot(uint64_t cluster_id) { return fmt::format("/pd/{}/", cluster_id); }

}  // namespace tikv::pd::meta
