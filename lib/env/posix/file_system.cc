#include "lib/env/posix/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lib/base/status.h"

namespace tikv {
namespace {

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t n) const override {
    size_t done = 0;
    while (done < n) {
      const ssize_t got = pread(fd_, out + done, n - done, static_cast<off_t>(offset + done));
      if (got == 0) break;
      if (got > 0) {
        done += static_cast<size_t>(got);
      } else if (errno != EINTR) {
        return Error("read");
      }
    }
    return done;
  }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    while (!data.empty()) {
      const ssize_t n = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
      if (n >= 0) {
        offset += static_cast<uint64_t>(n);
        data.remove_prefix(static_cast<size_t>(n));
      } else if (errno != EINTR) {
        return Error("write");
      }
    }
    return absl::OkStatus();
  }

  absl::Status Append(std::string_view data) override {
    ASSIGN_OR_RETURN(const uint64_t size, Size());
    return WriteAt(size, data);
  }

  absl::Status SyncData() override { return Done(fdatasync(fd_), "fdatasync"); }
  absl::Status Sync() override { return Done(fsync(fd_), "fsync"); }
  absl::Status Truncate(uint64_t size) override {
    return Done(ftruncate(fd_, static_cast<off_t>(size)), "truncate");
  }

  absl::Status Allocate(uint64_t size) override {
    int rc;
    do {
      rc = posix_fallocate(fd_, 0, static_cast<off_t>(size));
    } while (rc == EINTR);
    return rc == 0 ? absl::OkStatus() : ErrnoStatus(rc, "allocate", path_);
  }

  absl::StatusOr<uint64_t> Size() const override {
    struct stat st;
    if (fstat(fd_, &st) != 0) return Error("stat");
    return static_cast<uint64_t>(st.st_size);
  }

 private:
  absl::Status Error(std::string_view what) const { return ErrnoStatus(errno, what, path_); }
  absl::Status Done(int rc, std::string_view what) const {
    return rc == 0 ? absl::OkStatus() : Error(what);
  }

  const int fd_;
  const std::string path_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}
  ~PosixLock() override { close(fd_); }  // Releases the lock; the file stays.
  PosixLock(const PosixLock&) = delete;
  PosixLock& operator=(const PosixLock&) = delete;

 private:
  const int fd_;
};

int Flags(const OpenOptions& o) {
  int flags = O_CLOEXEC | (o.write ? O_RDWR : O_RDONLY);
  if (o.create) flags |= O_CREAT;
  if (o.exclusive) flags |= O_EXCL;
  if (o.truncate) flags |= O_TRUNC;
  if (o.direct) flags |= O_DIRECT;
  return flags;
}

}  // namespace

absl::StatusOr<std::unique_ptr<File>> PosixFileSystem::Open(const std::string& path,
                                                            OpenOptions options) {
  int fd = open(path.c_str(), Flags(options), 0644);
  if (fd < 0 && errno == EINVAL && options.direct) {  // tmpfs, some overlays
    options.direct = false;
    fd = open(path.c_str(), Flags(options), 0644);
  }
  if (fd < 0) return ErrnoStatus(errno, "open", path);
  return std::make_unique<PosixFile>(fd, path);
}

bool PosixFileSystem::Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

absl::StatusOr<uint64_t> PosixFileSystem::FileSize(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return ErrnoStatus(errno, "stat", path);
  return static_cast<uint64_t>(st.st_size);
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return ErrnoStatus(errno, "rename", from);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::Remove(const std::string& path) {
  if (remove(path.c_str()) != 0) return ErrnoStatus(errno, "remove", path);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::CreateDirs(const std::string& path) {
  for (size_t end = 1; end <= path.size(); ++end) {
    if (end != path.size() && path[end] != '/') continue;
    const std::string dir = path.substr(0, end);
    if (mkdir(dir.c_str(), 0755) == 0) {
      RETURN_IF_ERROR(SyncDir(DirName(dir)));  // Or a crash could take the folder and all in it.
    } else if (errno != EEXIST) {
      return ErrnoStatus(errno, "mkdir", dir);
    }
  }
  struct stat st;
  if (stat(path.c_str(), &st) != 0) return ErrnoStatus(errno, "mkdir", path);
  if (!S_ISDIR(st.st_mode)) return ErrnoStatus(ENOTDIR, "mkdir", path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& dir) {
  DIR* d = opendir(dir.c_str());
  if (d == nullptr) return ErrnoStatus(errno, "list", dir);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(d)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int error = errno;
  closedir(d);
  if (error != 0) return ErrnoStatus(error, "list", dir);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status PosixFileSystem::SyncDir(const std::string& dir) {
  const int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "open", dir);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  // Some network and overlay file systems cannot sync folders and say EINVAL.
  if (error != 0 && error != EINVAL) return ErrnoStatus(error, "fsync", dir);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FileLock>> PosixFileSystem::Lock(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, "open", path);
  auto lock = std::make_unique<PosixLock>(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "lock", path);
    char holder[32] = {};
    const ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);
    const std::string_view pid = n > 0 ? std::string_view(holder) : "unknown";
    return Unavailable("lock {}: held by process {}", path, pid.substr(0, pid.find('\n')));
  }
  // Only for people: failing to write it does not matter.
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

absl::StatusOr<DiskSpace> PosixFileSystem::Space(const std::string& path) {
  struct statvfs s;
  if (statvfs(path.c_str(), &s) != 0) return ErrnoStatus(errno, "statvfs", path);
  const uint64_t unit = s.f_frsize;
  return DiskSpace{.capacity = s.f_blocks * unit, .available = s.f_bavail * unit};
}

}  // namespace tikv
