// The changes after a revision, as watchers see them.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <cstdint>
#include <vector>

#include "lib/engine/engine.h"
#include "pd/meta/kv.h"

namespace tikv::pd::meta {

// Calls `visit` once per revision in [from, to], ascending, with all its changes (with the values
// before them where those are not compacted), until it returns false.
absl::Status ReadHistory(const engine::Reader& reader, int64_t from, int64_t to,
                         absl::FunctionRef<bool(std::vector<Event> events)> visit);

}  // namespace tikv::pd::meta
