// Sorted files of the in-memory engine: a checksum, then length-prefixed entries.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/engine/engine.h"
#include "lib/env/file_system.h"

namespace tikv::engine {

using SstEntries = std::vector<std::pair<std::string, std::optional<std::string>>>;

// Writes the file when finished.
std::unique_ptr<SstWriter> NewMemSstWriter(FileSystem* fs, const std::string& path);
// DataLoss when it is not such a file.
absl::StatusOr<SstEntries> ReadMemSst(FileSystem* fs, const std::string& path);

}  // namespace tikv::engine
