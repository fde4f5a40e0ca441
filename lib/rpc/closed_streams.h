// Remembers the last streams that closed, because nghttp2 ignores frames on them and HTTP/2 wants
// some of those refused (RFC 9113 section 5.1).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tikv::rpc {

// Of one connection; not thread-safe.
class ClosedStreams {
 public:
  enum class Fate {
    kOpenOrForgotten,  // Not closed, or so long ago that nobody knows.
    kNeverOpened,      // Skipped: a larger id was opened first.
    kClosedByUs,       // Its peer may not know yet: what it sends is to be ignored.
    kClosedByPeer,     // It said itself that nothing would follow.
  };

  void OnOpened(int32_t id) { last_opened_ = id; }
  int32_t last_opened() const { return last_opened_; }
  void OnClosed(int32_t id, bool by_peer) {
    if (ring_.size() < kCapacity) {
      ring_.push_back({id, by_peer});
    } else {
      forgotten_ = std::max(forgotten_, ring_[next_].id);
      ring_[next_] = {id, by_peer};
      next_ = (next_ + 1) % kCapacity;
    }
  }
  // The peer reset a stream that we had closed before.
  void OnPeerReset(int32_t id) {
    for (Entry& e : ring_) {
      if (e.id == id) e.by_peer = true;
    }
  }
  // REQUIRES: the stream is not open now.
  Fate Find(int32_t id) const {
    for (const Entry& e : ring_) {
      if (e.id == id) return e.by_peer ? Fate::kClosedByPeer : Fate::kClosedByUs;
    }
    return id < last_opened_ && id > forgotten_ ? Fate::kNeverOpened : Fate::kOpenOrForgotten;
  }

 private:
  struct Entry {
    int32_t id;
    bool by_peer;
  };
  static constexpr size_t kCapacity = 64;

  std::vector<Entry> ring_;
  size_t next_ = 0;
  int32_t last_opened_ = 0;
  int32_t forgotten_ = 0;  // The largest id that fell out of the ring.
};

}  // namespace tikv::rpc
