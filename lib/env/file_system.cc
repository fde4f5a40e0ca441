#include "lib/env/file_system.h"

#include "lib/base/status.h"

namespace tikv {

absl::StatusOr<std::string> ReadFile(FileSystem* fs, const std::string& path, uint64_t max_bytes) {
  ASSIGN_OR_RETURN(auto file, fs->Open(path, OpenOptions::Read()));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > max_bytes) {
    return ResourceExhausted("{} has {} bytes, more than {}", path, size, max_bytes);
  }
  std::string data(size, '\0');
  ASSIGN_OR_RETURN(const size_t n, file->ReadAt(0, data.data(), data.size()));
  data.resize(n);
  return data;
}

absl::Status WriteFileAtomic(FileSystem* fs, const std::string& path, std::string_view data) {
  const std::string temporary = path + ".tmp";
  ASSIGN_OR_RETURN(auto file, fs->Open(temporary, OpenOptions::Replace()));
  RETURN_IF_ERROR(file->Append(data));
  RETURN_IF_ERROR(
      file->Sync());  // Before the rename, or a crash could leave the name without data.
  file.reset();
  RETURN_IF_ERROR(fs->Rename(temporary, path));
  return fs->SyncDir(DirName(path));
}

absl::Status RemoveAll(FileSystem* fs, const std::string& path) {
  auto names = fs->List(path);
  if (names.ok()) {
    for (const std::string& name : *names) RETURN_IF_ERROR(RemoveAll(fs, JoinPath(path, name)));
  } else if (!fs->Exists(path)) {
    return absl::OkStatus();
  }
  return fs->Remove(path);
}

std::string JoinPath(std::string_view dir, std::string_view name) {
  std::string path(dir);
  if (!path.empty() && path.back() != '/') path += '/';
  path += name;
  return path;
}

std::string DirName(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

}  // namespace tikv
