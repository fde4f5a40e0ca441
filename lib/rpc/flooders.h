// Remembers who flooded us, because a flood that is cut off comes back over a new connection.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace tikv::rpc {

// The addresses of late flooders, each for a while.  Thread-safe; bounded: beyond its capacity new
// ones are not remembered.
class Flooders {
 public:
  void Add(const std::string& ip, int64_t now_ns) {
    std::lock_guard lock(mutex_);
    if (until_.size() >= kCapacity) {
      std::erase_if(until_, [now_ns](const auto& entry) { return entry.second <= now_ns; });
    }
    if (until_.size() < kCapacity) until_[ip] = now_ns + kMemoryNs;
  }
  bool Contains(const std::string& ip, int64_t now_ns) const {
    std::lock_guard lock(mutex_);
    auto it = until_.find(ip);
    return it != until_.end() && it->second > now_ns;
  }

 private:
  static constexpr size_t kCapacity = 1024;
  static constexpr int64_t kMemoryNs = 10'000'000'000;

  mutable std::mutex mutex_;
  std::unordered_map<std::string, int64_t> until_;  // Guarded by mutex_.
};

}  // namespace tikv::rpc
