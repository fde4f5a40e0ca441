// The data of a received snapshot: sorted files in a folder of its own.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/engine/column_family.h"
#include "lib/env/file_system.h"

namespace tikv::server {

// Owns the folder: removes it, with whatever was not ingested, when destroyed.
struct SnapshotFiles {
  SnapshotFiles(FileSystem* file_system, std::string folder)
      : fs(file_system), dir(std::move(folder)) {}
  SnapshotFiles(const SnapshotFiles&) = delete;
  SnapshotFiles& operator=(const SnapshotFiles&) = delete;
  ~SnapshotFiles() { RemoveAll(fs, dir).IgnoreError(); }

  FileSystem* fs;
  std::string dir;
  std::vector<std::pair<engine::Cf, std::string>> files;  // Several per family, ascending.
  uint64_t bytes = 0;
};

}  // namespace tikv::server
