// A file system in memory that knows what a crash of the machine may do to it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/env/file_system.h"
#include "lib/env/random.h"

namespace tikv::sim {

// Every file has the contents that programs see and those that are durable, in sectors of 512
// bytes; every folder likewise has names that are seen and names that are durable.
//
// Crash() leaves, of each sector written since its file's last sync, the new contents, the old, or
// noise; of each file, the new size or the old; and of the creations, renames and removals since
// their folder's last sync, some in their order.  Handles and locks from before are dead.
//
// Not thread-safe.
class SimFileSystem final : public FileSystem {
 public:
  explicit SimFileSystem(Random random);
  ~SimFileSystem() override;

  // --- Faults.  Operations that change something are counted from 1.
  uint64_t operations() const { return operations_; }
  // The machine stops before operation number `n`: it and all later ones fail until Crash().
  void StopBefore(uint64_t n) { stop_before_ = n; }
  bool stopped() const { return stop_before_ != 0 && operations_ >= stop_before_; }
  void Crash();
  // Operation number `n` fails with EIO.  If it is a sync, the pages count as written from then on,
  // as on Linux: each sector is durable or keeps its old contents, and the next sync succeeds.
  void FailOperation(uint64_t n) { fail_operations_.insert(n); }
  // The sum of file sizes that fits; beyond it writes fail as on a full disk.
  void SetCapacity(uint64_t bytes) { capacity_ = bytes; }
  // Flips a bit of the file at rest.
  void Rot(const std::string& path, uint64_t offset);

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenOptions options) override;
  bool Exists(const std::string& path) override;
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status CreateDirs(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override;
  absl::Status SyncDir(const std::string& dir) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  absl::StatusOr<DiskSpace> Space(const std::string& path) override;

 private:
  class Handle;
  class HeldLock;
  struct Inode;
  using InodePtr = std::shared_ptr<Inode>;
  using Names = std::map<std::string, InodePtr>;  // By full path.

  // A change of names that is not durable yet: `removed` goes, `added` names the inode.
  struct NameChange {
    std::string removed;
    std::string added;
    InodePtr inode;
  };

  // To be called first by everything that changes something.
  absl::Status CountOperation(std::string_view what, const std::string& path);
  absl::Status Reserve(uint64_t more_bytes, const std::string& path) const;
  absl::Status SyncFile(Inode* inode, const std::string& path);
  static void ApplyTo(Names* names, const NameChange& change);
  void CrashNames();
  void CrashFile(Inode* inode);

  Random random_;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> pending_names_;
  std::set<std::string> locks_;
  uint64_t generation_ = 0;  // Of handles and locks; a crash begins a new one.
  uint64_t operations_ = 0;
  uint64_t stop_before_ = 0;
  std::set<uint64_t> fail_operations_;
  uint64_t capacity_ = UINT64_MAX;
};

}  // namespace tikv::sim
