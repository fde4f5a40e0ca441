// The whole metadata as a stream of chunks, and its installation.
//
// A chunk: 4 bytes length of what follows the checksum, 8 bytes XXH3 of it (both little-endian),
// then records: varint length and bytes of the key, the same of the value.  An empty chunk ends
// the stream.  The file that a receiver keeps is the chunks one after the other.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/engine/engine.h"
#include "lib/env/file_system.h"

namespace tikv::pd::meta {

// Reads an engine's snapshot as chunks.  Not thread-safe; holds the snapshot while it lives.
class ChunkReader {
 public:
  explicit ChunkReader(std::shared_ptr<const engine::Snapshot> state);

  // The next chunk; the last one is empty of records and `done()` afterwards.
  absl::StatusOr<std::string> Next();
  bool done() const { return done_; }

 private:
  std::shared_ptr<const engine::Snapshot> state_;
  std::unique_ptr<engine::Iterator> it_;
  bool done_ = false;
};

// Whether a chunk is whole and intact.
bool ChunkIsIntact(std::string_view chunk);
// A chunk without records.
bool ChunkIsLast(std::string_view chunk);

// Replaces what the engine holds by the file's contents.  A crash in between is made good by
// FinishInstallation.
absl::Status InstallSnapshotFile(FileSystem* fs, engine::KvEngine* engine, const std::string& path,
                                 uint64_t index, uint64_t term);

// Where the log goes on after the last snapshot that was installed.
struct InstalledSnapshot {
  uint64_t index = 0;  // 0: none was ever installed.
  uint64_t term = 0;
};
// At start, before anything reads the engine: completes an installation that a crash cut short.
absl::StatusOr<InstalledSnapshot> FinishInstallation(FileSystem* fs, engine::KvEngine* engine);

}  // namespace tikv::pd::meta
