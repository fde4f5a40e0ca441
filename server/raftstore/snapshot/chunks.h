// The data of a snapshot as a sequence of chunks.
//
// Format of SnapshotChunk::data, after the first chunk (which carries the message):
//   8 bytes  xxh3-64 of all that follows, little endian
//   1 byte   column family 0..2, or 0xFF in the last chunk
//   data:    any number of { varint key length, data key, varint value length, value }, ascending
//            within the family, families ascending
//   last:    varint number of keys, varint number of chunks before this one
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/engine/engine.h"
#include "lib/env/file_system.h"
#include "server/raftstore/snapshot/snapshot_files.h"

namespace tikv::server {

// Reads a range of an engine's snapshot as chunks of about `chunk_bytes`.  One thread.
class SnapshotReader {
 public:
  // User keys; "" as the end means no bound.
  SnapshotReader(std::shared_ptr<const engine::Snapshot> data, std::string_view start,
                 std::string_view end, size_t chunk_bytes = 1 << 20);

  // Fills *chunk; false after the last one.
  absl::StatusOr<bool> Next(std::string* chunk);

 private:
  absl::Status FillFrom(std::string* chunk);
  std::string LastChunk() const;

  std::shared_ptr<const engine::Snapshot> data_;
  const std::string lower_;
  const std::string upper_;
  const size_t chunk_bytes_;
  size_t family_ = 0;
  std::unique_ptr<engine::Iterator> iterator_;
  uint64_t keys_ = 0;
  uint64_t chunks_ = 0;
  bool done_ = false;
};

// Writes received chunks to sorted files in a folder of its own.  One thread.  Whatever does not
// fit (checksum, order, range, family, counts) is InvalidArgument, and the folder goes.
class SnapshotBuilder {
 public:
  SnapshotBuilder(engine::KvEngine* engine, FileSystem* fs, std::string dir, std::string_view start,
                  std::string_view end);
  ~SnapshotBuilder();

  absl::Status Add(std::string_view chunk);
  // The files; InvalidArgument before the last chunk has come.
  absl::StatusOr<std::shared_ptr<SnapshotFiles>> Finish();

 private:
  absl::Status AddPairs(engine::Cf cf, std::string_view pairs);
  absl::Status AddLast(std::string_view counts);
  absl::Status AddPair(engine::Cf cf, std::string_view key, std::string_view value);
  absl::Status OpenFile(engine::Cf cf);
  absl::Status CloseFile();

  static constexpr uint64_t kFileBytes = uint64_t{100} << 20;

  engine::KvEngine* engine_;
  const std::string lower_;
  const std::string upper_;
  std::shared_ptr<SnapshotFiles> files_;
  std::unique_ptr<engine::SstWriter> writer_;
  int family_ = -1;
  std::string last_key_;
  uint64_t keys_ = 0;
  uint64_t chunks_ = 0;
  bool created_ = false;
  bool complete_ = false;
};

}  // namespace tikv::server
