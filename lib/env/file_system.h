// Files as a port.  The posix body calls the kernel; the simulated one forgets on a crash whatever
// was never synced.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tikv {

// An open file, closed by its destructor.  Reads may run concurrently with each other and with one
// writer; writers take turns (the caller's duty).
class File {
 public:
  virtual ~File() = default;

  // Reads up to n bytes into out; returns how many.  Fewer than n only at the end of the file.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t n) const = 0;
  // Writes all of data or fails; after a failure any part may have been written.
  virtual absl::Status WriteAt(uint64_t offset, std::string_view data) = 0;
  // Writes at the end of the file.
  virtual absl::Status Append(std::string_view data) = 0;
  // fdatasync: contents and what is needed to read them back (size) are durable.  A failure means
  // that earlier writes may be lost for good: never retry it, give the file up.
  virtual absl::Status SyncData() = 0;
  // fsync: as SyncData, and all metadata.
  virtual absl::Status Sync() = 0;
  // Cuts off or extends with zeros.
  virtual absl::Status Truncate(uint64_t size) = 0;
  // Reserves disk space for [0, size) and extends the file to it with zeros.
  virtual absl::Status Allocate(uint64_t size) = 0;
  virtual absl::StatusOr<uint64_t> Size() const = 0;
};

// Held until destroyed or until the process ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// How to open a file; the named constructors cover the usual cases.
struct OpenOptions {
  bool write = false;
  bool create = false;     // Create when missing (needs `write`).
  bool exclusive = false;  // With `create`: AlreadyExists when it is there.
  bool truncate = false;   // Empty it first (needs `write`).
  // O_DIRECT: offsets, sizes and buffers must be multiples of 4096.  Falls back to buffered I/O
  // where the file system does not support it.
  bool direct = false;

  static OpenOptions Read() { return {}; }
  static OpenOptions Write() { return {.write = true}; }
  static OpenOptions Create() { return {.write = true, .create = true}; }
  static OpenOptions CreateNew() { return {.write = true, .create = true, .exclusive = true}; }
  static OpenOptions Replace() { return {.write = true, .create = true, .truncate = true}; }
};

// Of the file system that holds a path, in bytes.
struct DiskSpace {
  uint64_t capacity = 0;
  uint64_t available = 0;  // To an unprivileged process.
};

// Thread-safe.  Errors carry the path and the system's reason; a missing file is NotFound, a full
// disk ResourceExhausted.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path,
                                                     OpenOptions options) = 0;
  virtual bool Exists(const std::string& path) = 0;
  virtual absl::StatusOr<uint64_t> FileSize(const std::string& path) = 0;
  // Atomic; replaces `to`.  Durable after SyncDir of the folders of both.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A file, or an empty folder.
  virtual absl::Status Remove(const std::string& path) = 0;
  // With its parents; OK when it is there already.
  virtual absl::Status CreateDirs(const std::string& path) = 0;
  // Names (not paths) of files and folders inside, sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& dir) = 0;
  // Makes creations, renames and removals inside `dir` durable.
  virtual absl::Status SyncDir(const std::string& dir) = 0;
  // Takes an exclusive lock on a file (created when missing); Unavailable when another holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  virtual absl::StatusOr<DiskSpace> Space(const std::string& path) = 0;
};

// The whole file; ResourceExhausted beyond `max_bytes`.
absl::StatusOr<std::string> ReadFile(FileSystem* fs, const std::string& path,
                                     uint64_t max_bytes = 64 << 20);
// Replaces the file atomically and durably: a crash leaves the old or the new contents.
absl::Status WriteFileAtomic(FileSystem* fs, const std::string& path, std::string_view data);
// A folder with everything in it; OK when missing.
absl::Status RemoveAll(FileSystem* fs, const std::string& path);

// "a/b" + "c" = "a/b/c".
std::string JoinPath(std::string_view dir, std::string_view name);
// The part before the last '/'; "." when there is none.
std::string DirName(std::string_view path);

}  // namespace tikv
