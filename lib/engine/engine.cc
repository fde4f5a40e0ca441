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

}  // namespace tikv::engine
