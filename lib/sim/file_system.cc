#include "lib/sim/file_system.h"

#include <algorithm>
#include <cerrno>

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace tikv::sim {
namespace {

constexpr uint64_t kSector = 512;

}  // namespace

struct SimFileSystem::Inode {
  bool is_dir = false;
  std::string data;
  std::string durable;
  std::set<uint64_t> dirty;  // Numbers of sectors that differ in durability.

  void Write(uint64_t offset, std::string_view bytes) {
    if (bytes.empty()) return;
    if (offset + bytes.size() > data.size()) data.resize(offset + bytes.size(), '\0');
    std::copy(bytes.begin(), bytes.end(), data.begin() + static_cast<ptrdiff_t>(offset));
    for (uint64_t s = offset / kSector; s <= (offset + bytes.size() - 1) / kSector; ++s) {
      dirty.insert(s);
    }
  }

  // Copies sector `s` from `from` into `to`, as far as both reach.
  static void CopySector(const std::string& from, uint64_t s, std::string* to) {
    const uint64_t begin = s * kSector;
    const uint64_t end = std::min({begin + kSector, from.size(), to->size()});
    for (uint64_t i = begin; i < end; ++i) (*to)[i] = from[i];
  }
};

// Shares the inode with the names, so that a removed file can still be written to.
class SimFileSystem::Handle final : public File {
 public:
  Handle(SimFileSystem* fs, InodePtr inode, std::string path)
      : fs_(fs), inode_(std::move(inode)), path_(std::move(path)), generation_(fs->generation_) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t n) const override {
    RETURN_IF_ERROR(Alive());
    const std::string& data = inode_->data;
    if (offset >= data.size()) return size_t{0};
    n = std::min<size_t>(n, data.size() - offset);
    std::copy_n(data.begin() + static_cast<ptrdiff_t>(offset), n, out);
    return n;
  }
  absl::Status WriteAt(uint64_t offset, std::string_view bytes) override {
    RETURN_IF_ERROR(Change("write"));
    const uint64_t end = offset + bytes.size();
    if (end > inode_->data.size()) {
      RETURN_IF_ERROR(fs_->Reserve(end - inode_->data.size(), path_));
    }
    inode_->Write(offset, bytes);
    return absl::OkStatus();
  }
  absl::Status Append(std::string_view bytes) override {
    return WriteAt(inode_->data.size(), bytes);
  }
  absl::Status SyncData() override { return Sync(); }
  absl::Status Sync() override {
    RETURN_IF_ERROR(Alive());
    return fs_->SyncFile(inode_.get(), path_);
  }
  absl::Status Truncate(uint64_t size) override {
    RETURN_IF_ERROR(Change("truncate"));
    inode_->data.resize(size, '\0');
    return absl::OkStatus();
  }
  absl::Status Allocate(uint64_t size) override {
    RETURN_IF_ERROR(Change("allocate"));
    if (size <= inode_->data.size()) return absl::OkStatus();
    RETURN_IF_ERROR(fs_->Reserve(size - inode_->data.size(), path_));
    inode_->data.resize(size, '\0');
    return absl::OkStatus();
  }
  absl::StatusOr<uint64_t> Size() const override {
    RETURN_IF_ERROR(Alive());
    return inode_->data.size();
  }

 private:
  absl::Status Alive() const {
    if (generation_ == fs_->generation_) return absl::OkStatus();
    return FailedPrecondition("{}: handle from before a crash", path_);
  }
  absl::Status Change(std::string_view what) {
    RETURN_IF_ERROR(Alive());
    return fs_->CountOperation(what, path_);
  }

  SimFileSystem* const fs_;
  const InodePtr inode_;
  const std::string path_;
  const uint64_t generation_;
};

class SimFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(SimFileSystem* fs, std::string path)
      : fs_(fs), path_(std::move(path)), generation_(fs->generation_) {}
  ~HeldLock() override {
    if (generation_ == fs_->generation_) fs_->locks_.erase(path_);
  }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  SimFileSystem* const fs_;
  const std::string path_;
  const uint64_t generation_;
};

SimFileSystem::SimFileSystem(Random random) : random_(random) {}
SimFileSystem::~SimFileSystem() = default;

absl::Status SimFileSystem::CountOperation(std::string_view what, const std::string& path) {
  if (stopped()) return Unavailable("{} {}: the machine has stopped", what, path);
  ++operations_;
  if (stopped()) return Unavailable("{} {}: the machine has stopped", what, path);
  if (fail_operations_.count(operations_) > 0) return ErrnoStatus(EIO, what, path);
  return absl::OkStatus();
}

absl::Status SimFileSystem::Reserve(uint64_t more_bytes, const std::string& path) const {
  uint64_t used = 0;
  for (const auto& [name, inode] : names_) used += inode->data.size();
  if (used + more_bytes > capacity_) return ErrnoStatus(ENOSPC, "write", path);
  return absl::OkStatus();
}

absl::Status SimFileSystem::SyncFile(Inode* inode, const std::string& path) {
  const absl::Status s = CountOperation("sync", path);
  if (s.ok()) {
    inode->durable.resize(inode->data.size(), '\0');
    for (const uint64_t sector : inode->dirty) {
      Inode::CopySector(inode->data, sector, &inode->durable);
    }
    inode->dirty.clear();
  } else if (!stopped()) {  // A failed sync: clean pages, whatever the disk has.
    inode->durable.resize(inode->data.size(), '\0');
    for (const uint64_t sector : inode->dirty) {
      if (random_.OneIn(2)) Inode::CopySector(inode->data, sector, &inode->durable);
    }
    inode->dirty.clear();
  }
  return s;
}

absl::StatusOr<std::unique_ptr<File>> SimFileSystem::Open(const std::string& path,
                                                          OpenOptions options) {
  auto it = names_.find(path);
  if (it == names_.end()) {
    if (!options.create) return ErrnoStatus(ENOENT, "open", path);
    const auto parent = names_.find(DirName(path));
    if (parent == names_.end()) return ErrnoStatus(ENOENT, "open", path);
    RETURN_IF_ERROR(CountOperation("create", path));
    it = names_.emplace(path, std::make_shared<Inode>()).first;
    pending_names_.push_back({.added = path, .inode = it->second});
  } else if (options.create && options.exclusive) {
    return ErrnoStatus(EEXIST, "open", path);
  } else if (it->second->is_dir) {
    return ErrnoStatus(EISDIR, "open", path);
  }
  auto handle = std::make_unique<Handle>(this, it->second, path);
  if (options.truncate) RETURN_IF_ERROR(handle->Truncate(0));
  return handle;
}

bool SimFileSystem::Exists(const std::string& path) { return names_.count(path) > 0; }

absl::StatusOr<uint64_t> SimFileSystem::FileSize(const std::string& path) {
  const auto it = names_.find(path);
  if (it == names_.end()) return ErrnoStatus(ENOENT, "stat", path);
  return it->second->data.size();
}

void SimFileSystem::ApplyTo(Names* names, const NameChange& change) {
  const auto removed = names->find(change.removed);
  if (removed != names->end() && removed->second == change.inode) names->erase(removed);
  if (!change.added.empty()) (*names)[change.added] = change.inode;
}

absl::Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  const auto it = names_.find(from);
  if (it == names_.end()) return ErrnoStatus(ENOENT, "rename", from);
  CHECK(!it->second->is_dir) << "renaming folders is not simulated";
  RETURN_IF_ERROR(CountOperation("rename", from));
  pending_names_.push_back({.removed = from, .added = to, .inode = it->second});
  ApplyTo(&names_, pending_names_.back());
  return absl::OkStatus();
}

absl::Status SimFileSystem::Remove(const std::string& path) {
  const auto it = names_.find(path);
  if (it == names_.end()) return ErrnoStatus(ENOENT, "remove", path);
  if (it->second->is_dir && !List(path)->empty()) return ErrnoStatus(ENOTEMPTY, "remove", path);
  RETURN_IF_ERROR(CountOperation("remove", path));
  pending_names_.push_back({.removed = path, .inode = it->second});
  ApplyTo(&names_, pending_names_.back());
  return absl::OkStatus();
}

// Folders are durable at once: the posix body syncs each into its parent.
absl::Status SimFileSystem::CreateDirs(const std::string& path) {
  for (size_t end = 1; end <= path.size(); ++end) {
    if (end != path.size() && path[end] != '/') continue;
    const std::string dir = path.substr(0, end);
    const auto it = names_.find(dir);
    if (it != names_.end()) {
      if (!it->second->is_dir) return ErrnoStatus(ENOTDIR, "mkdir", dir);
      continue;
    }
    RETURN_IF_ERROR(CountOperation("mkdir", dir));
    auto inode = std::make_shared<Inode>();
    inode->is_dir = true;
    names_[dir] = durable_names_[dir] = inode;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SimFileSystem::List(const std::string& dir) {
  const auto it = names_.find(dir);
  if (it == names_.end() || !it->second->is_dir) return ErrnoStatus(ENOENT, "list", dir);
  std::vector<std::string> inside;
  const std::string prefix = dir + "/";
  for (auto name = names_.lower_bound(prefix); name != names_.end(); ++name) {
    if (name->first.compare(0, prefix.size(), prefix) != 0) break;
    std::string rest = name->first.substr(prefix.size());
    if (rest.find('/') == std::string::npos) inside.push_back(std::move(rest));
  }
  return inside;
}

absl::Status SimFileSystem::SyncDir(const std::string& dir) {
  RETURN_IF_ERROR(CountOperation("sync", dir));
  std::vector<NameChange> later;
  for (NameChange& change : pending_names_) {
    if (DirName(change.added.empty() ? change.removed : change.added) == dir) {
      ApplyTo(&durable_names_, change);
    } else {
      later.push_back(std::move(change));
    }
  }
  pending_names_ = std::move(later);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FileLock>> SimFileSystem::Lock(const std::string& path) {
  if (locks_.count(path) > 0) return Unavailable("lock {}: held", path);
  RETURN_IF_ERROR(Open(path, OpenOptions::Create()).status());
  locks_.insert(path);
  return std::make_unique<HeldLock>(this, path);
}

absl::StatusOr<DiskSpace> SimFileSystem::Space(const std::string&) {
  uint64_t used = 0;
  for (const auto& [name, inode] : names_) used += inode->data.size();
  return DiskSpace{.capacity = capacity_, .available = capacity_ - std::min(used, capacity_)};
}

void SimFileSystem::Rot(const std::string& path, uint64_t offset) {
  Inode& inode = *names_.at(path);
  CHECK_LT(offset, inode.data.size());
  for (std::string* bytes : {&inode.data, &inode.durable}) {
    if (offset < bytes->size()) (*bytes)[offset] = static_cast<char>((*bytes)[offset] ^ 0x10);
  }
}

// Journals keep order, other file systems need not: half of the crashes take a prefix of the
// changes, half any of them.
void SimFileSystem::CrashNames() {
  const bool in_order = random_.OneIn(2);
  const uint64_t prefix = random_.Uniform(pending_names_.size() + 1);
  for (size_t i = 0; i < pending_names_.size(); ++i) {
    if (in_order ? i < prefix : random_.OneIn(2)) ApplyTo(&durable_names_, pending_names_[i]);
  }
  pending_names_.clear();
  names_ = durable_names_;
}

void SimFileSystem::CrashFile(Inode* inode) {
  std::string after = inode->durable;
  if (random_.OneIn(2)) after.resize(inode->data.size(), '\0');
  // Whole crashes that lose or keep everything are worth trying often.
  const uint64_t style = random_.Uniform(4);
  for (const uint64_t sector : inode->dirty) {
    const uint64_t fate = style < 2 ? style : random_.Uniform(style == 2 ? 2 : 3);
    if (fate == 0) continue;  // Dropped.
    Inode::CopySector(inode->data, sector, &after);
    if (fate == 1) continue;  // Kept.
    const uint64_t end = std::min<uint64_t>((sector + 1) * kSector, after.size());
    for (uint64_t i = sector * kSector + random_.Uniform(kSector); i < end; ++i) {
      after[i] = static_cast<char>(random_.Next());  // Torn within.
    }
  }
  inode->data = inode->durable = std::move(after);
  inode->dirty.clear();
}

void SimFileSystem::Crash() {
  ++generation_;
  locks_.clear();
  stop_before_ = 0;
  CrashNames();
  for (const auto& [name, inode] : names_) CrashFile(inode.get());
}

}  // namespace tikv::sim
