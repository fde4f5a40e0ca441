// Follows frame boundaries in received bytes, which nghttp2 does not tell: whether the peer is in
// the middle of something that it should finish soon.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace tikv::rpc {

class FrameTracker {
 public:
  // Takes bytes after the connection preface.
  void Advance(std::string_view bytes) {
    while (!bytes.empty()) {
      if (payload_ > 0) {
        size_t n = std::min(payload_, bytes.size());
        payload_ -= n;
        bytes.remove_prefix(n);
        continue;
      }
      header_[filled_++] = static_cast<uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (filled_ == sizeof(header_)) BeginFrame();
    }
  }

  // Within a frame header, a header block or any frame but DATA.
  bool MidHeaders() const { return filled_ > 0 || in_block_ || (payload_ > 0 && type_ != kData); }

 private:
  static constexpr uint8_t kData = 0, kHeaders = 1, kContinuation = 9;
  static constexpr uint8_t kEndHeaders = 4;

  void BeginFrame() {
    filled_ = 0;
    payload_ = size_t{header_[0]} << 16 | size_t{header_[1]} << 8 | header_[2];
    type_ = header_[3];
    if (type_ == kHeaders || type_ == kContinuation) in_block_ = (header_[4] & kEndHeaders) == 0;
  }

  uint8_t header_[9];
  size_t filled_ = 0;
  size_t payload_ = 0;
  uint8_t type_ = 0;
  bool in_block_ = false;
};

}  // namespace tikv::rpc
