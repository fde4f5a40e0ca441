// What makes the headers of a request well-formed (RFC 9113, 8.1 to 8.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tikv::rpc {

// Watches one request and says when it is malformed, which its stream is reset for.
//
// Stands in for nghttp2's own checks, which are stricter than gRPC in Go about one thing:
// `:authority` may be any text.  etcdctl sends its endpoint there as it was typed, scheme and all.
// Not thread-safe; lives and dies with its call.
class RequestRules {
 public:
  // One header; false: malformed.
  bool OnHeader(std::string_view name, std::string_view value);
  // All headers were there; false: one that every request has is missing.
  bool OnHeadersEnd() const;
  // One trailer.
  static bool OnTrailer(std::string_view name, std::string_view value);
  // Bytes of the body; false: more than content-length announced.
  bool OnBody(size_t bytes);
  // The body is complete; false: less than content-length announced.
  bool OnBodyEnd() const { return !content_length_ || body_bytes_ == *content_length_; }

 private:
  enum Pseudo : uint8_t { kMethod = 1, kScheme = 2, kAuthority = 4, kPath = 8 };

  bool OnPseudoHeader(std::string_view name, std::string_view value);
  bool OnContentLength(std::string_view value);

  uint8_t seen_ = 0;
  bool regular_seen_ = false;
  bool connect_ = false;
  std::optional<uint64_t> content_length_;
  uint64_t body_bytes_ = 0;
};

}  // namespace tikv::rpc
