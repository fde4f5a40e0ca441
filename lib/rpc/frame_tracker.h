// Follows frame boundaries in received bytes, which nghttp2 does not tell: whether the peer is in
// the middle of something that it should finish soon.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tikv::rpc {

// Of one connection; not thread-safe.
class FrameTracker {
 public:
  struct Header {
    uint8_t type;
    uint8_t flags;
    int32_t stream_id;
  };

  // Takes bytes after the connection preface.  `visit` sees each frame header as soon as it is
  // complete; when it returns true, Advance stops there.  Returns how many bytes it took.
  template <class Visit>
  size_t Advance(std::string_view bytes, Visit visit) {
    const size_t size = bytes.size();
    while (!bytes.empty()) {
      if (payload_ > 0) {
        size_t n = std::min(payload_, bytes.size());
        payload_ -= n;
        bytes.remove_prefix(n);
        continue;
      }
      size_t n = std::min(sizeof(header_) - filled_, bytes.size());
      memcpy(header_ + filled_, bytes.data(), n);
      filled_ += n;
      bytes.remove_prefix(n);
      if (filled_ == sizeof(header_) && visit(BeginFrame())) break;
    }
    return size - bytes.size();
  }
  void Advance(std::string_view bytes) {
    Advance(bytes, [](const Header&) { return false; });
  }

  // Within a frame header, a header block or any frame but DATA.
  bool MidHeaders() const { return filled_ > 0 || in_block_ || (payload_ > 0 && type_ != kData); }

 private:
  static constexpr uint8_t kData = 0, kHeaders = 1, kContinuation = 9;
  static constexpr uint8_t kEndHeaders = 4;

  Header BeginFrame() {
    filled_ = 0;
    payload_ = size_t{header_[0]} << 16 | size_t{header_[1]} << 8 | header_[2];
    type_ = header_[3];
    if (type_ == kHeaders || type_ == kContinuation) in_block_ = (header_[4] & kEndHeaders) == 0;
    uint32_t id = 0;
    for (int i = 5; i < 9; ++i) id = id << 8 | header_[i];
    return {type_, header_[4], static_cast<int32_t>(id & 0x7fffffff)};
  }

  uint8_t header_[9];
  size_t filled_ = 0;
  size_t payload_ = 0;
  uint8_t type_ = 0;
  bool in_block_ = false;
};

}  // namespace tikv::rpc
