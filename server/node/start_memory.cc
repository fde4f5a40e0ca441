#include "server/node/start_memory.h"

#include <sys/mman.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/node/heap_profile.h"

namespace tikv::server {
namespace {

// Files in /proc have no size; they are read until they end.
std::string ReadMaps(FileSystem* files) {
  std::string text;
  const auto file = files->Open("/proc/self/maps", OpenOptions::Read());
  if (!file.ok()) return text;
  for (char piece[4096];;) {
    const absl::StatusOr<size_t> n = (*file)->ReadAt(text.size(), piece, sizeof(piece));
    if (!n.ok() || *n == 0) return text;
    text.append(piece, *n);
  }
}

}  // namespace

void DropStartMemory(FileSystem* files) {
  ReleaseFreeMemory();
  const std::string maps = ReadMaps(files);
  std::string_view rest = maps;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    // "begin-end r-xp offset device inode  /path": code of a file, which nobody has written to.
    if (line.find(" r-xp ") == std::string_view::npos || line.find('/') == std::string_view::npos) {
      continue;
    }
    uintptr_t begin = 0, end = 0;
    const char* last = line.data() + line.size();
    const auto [dash, bad] = std::from_chars(line.data(), last, begin, 16);
    if (bad != std::errc() || dash == last) continue;
    if (std::from_chars(dash + 1, last, end, 16).ec != std::errc() || end <= begin) continue;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
}

}  // namespace tikv::server
