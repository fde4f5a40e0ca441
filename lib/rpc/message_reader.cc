#include "lib/rpc/message_reader.h"

#include <algorithm>
#include <cstring>

#include "lib/base/status.h"

namespace tikv::rpc {

absl::Status MessageReader::TakePrefix(std::string_view* chunk, size_t max_bytes) {
  size_t n = std::min(kPrefixBytes - prefix_size_, chunk->size());
  memcpy(prefix_ + prefix_size_, chunk->data(), n);
  prefix_size_ += n;
  chunk->remove_prefix(n);
  if (prefix_size_ < kPrefixBytes) return absl::OkStatus();
  length_ = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i) {
    length_ = length_ << 8 | static_cast<unsigned char>(prefix_[i]);
  }
  if (prefix_[0] != 0 && prefix_[0] != 1) return Internal("bad flag in a message prefix");
  if (length_ > max_bytes) {
    // The text of gRPC in Go, which clients know.
    return ResourceExhausted("grpc: received message larger than max ({} vs. {})", length_,
                             max_bytes);
  }
  return absl::OkStatus();
}

// Grows by doubling but never beyond the message: the length is the peer's claim, so memory follows
// what has really arrived.
void MessageReader::Append(std::string_view bytes) {
  size_t needed = buffer_.size() + bytes.size();
  if (needed > buffer_.capacity()) {
    buffer_.reserve(std::min(length_, std::max(needed, buffer_.capacity() * 2)));
  }
  buffer_.append(bytes);
}

absl::StatusOr<size_t> MessageReader::Feed(std::string_view chunk, size_t max_bytes, Sink sink) {
  const size_t size = chunk.size();
  for (;;) {
    if (prefix_size_ < kPrefixBytes) {
      RETURN_IF_ERROR(TakePrefix(&chunk, max_bytes));
      if (prefix_size_ < kPrefixBytes) break;
    }
    size_t missing = length_ - buffer_.size();
    if (chunk.size() < missing) {
      Append(chunk);
      chunk = {};
      break;
    }
    bool more;
    const bool compressed = prefix_[0] == 1;
    prefix_size_ = 0;
    if (buffer_.empty()) {
      std::string_view message = chunk.substr(0, missing);
      chunk.remove_prefix(missing);
      more = sink(message, nullptr, compressed);
    } else {
      Append(chunk.substr(0, missing));
      chunk.remove_prefix(missing);
      std::string message = std::move(buffer_);
      buffer_ = {};
      more = sink(message, &message, compressed);
    }
    if (!more || chunk.empty()) break;
  }
  return size - chunk.size();
}

}  // namespace tikv::rpc
