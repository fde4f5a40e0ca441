// Notices that files on disk were replaced, such as certificates.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tikv::http {

// Not thread-safe.
class ChangedFiles {
 public:
  // From now on.  Empty paths are ignored.
  explicit ChangedFiles(std::vector<std::string> paths)
      : paths_(std::move(paths)), stamps_(Look()) {}

  // Whether one of them is another (or gone) since the last time that this was true.  Looks at most
  // once per second.
  bool Check(int64_t now_ns) {
    if (now_ns < next_look_ns_) return false;
    next_look_ns_ = now_ns + kIntervalNs;
    std::vector<Stamp> stamps = Look();
    return std::exchange(stamps_, stamps) != stamps;
  }

 private:
  static constexpr int64_t kIntervalNs = 1'000'000'000;

  struct Stamp {
    uint64_t inode = 0;
    int64_t size = 0;
    int64_t seconds = 0;
    int64_t nanos = 0;
    bool operator==(const Stamp&) const = default;
  };

  std::vector<Stamp> Look() const {
    std::vector<Stamp> stamps;
    for (const std::string& path : paths_) {
      struct stat s {};
      const bool there = !path.empty() && stat(path.c_str(), &s) == 0;
      stamps.push_back(there ? Stamp{s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec}
                             : Stamp{});
    }
    return stamps;
  }

  const std::vector<std::string> paths_;
  std::vector<Stamp> stamps_;
  int64_t next_look_ns_ = 0;
};

}  // namespace tikv::http
