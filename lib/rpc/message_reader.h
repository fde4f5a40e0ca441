// Cuts a stream of DATA bytes into gRPC messages.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace tikv::rpc {

// Keeps at most the message that is incomplete.  A message that lies whole in one chunk is passed
// on without a copy.
class MessageReader {
 public:
  static constexpr size_t kPrefixBytes = 5;

  // A complete message; `owned` is not null when the bytes are the reader's own and may be moved
  // from.  Returning false stops Feed after this message.
  using Sink =
      absl::FunctionRef<bool(std::string_view message, std::string* owned, bool compressed)>;

  // Returns how many bytes it took: all, unless the sink stopped it.  ResourceExhausted for a
  // message over `max_bytes` (before anything is allocated for it), Internal for a bad flag.
  absl::StatusOr<size_t> Feed(std::string_view chunk, size_t max_bytes, Sink sink);

  // Between messages.
  bool AtBoundary() const { return prefix_size_ == 0; }
  // Length of the message under way; 0 while not known.
  size_t message_bytes() const { return prefix_size_ == kPrefixBytes ? length_ : 0; }
  size_t buffered_bytes() const { return buffer_.size(); }
  void Clear() {
    prefix_size_ = 0;
    buffer_ = {};
  }

 private:
  absl::Status TakePrefix(std::string_view* chunk, size_t max_bytes);
  void Append(std::string_view bytes);

  char prefix_[kPrefixBytes];
  size_t prefix_size_ = 0;
  size_t length_ = 0;
  std::string buffer_;
};

}  // namespace tikv::rpc
