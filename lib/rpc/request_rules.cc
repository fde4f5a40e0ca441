#include "lib/rpc/request_rules.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <charconv>

namespace tikv::rpc {
namespace {

const uint8_t* Bytes(std::string_view s) { return reinterpret_cast<const uint8_t*>(s.data()); }

bool IsName(std::string_view s) { return nghttp2_check_header_name(Bytes(s), s.size()) != 0; }
bool IsValue(std::string_view s) { return nghttp2_check_header_value(Bytes(s), s.size()) != 0; }

// Fields of HTTP/1.1 connections: no part of HTTP/2.
bool IsOfConnection(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {
      "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};
  for (std::string_view known : kNames) {
    if (name == known) return true;
  }
  return false;
}

}  // namespace

bool RequestRules::OnHeader(std::string_view name, std::string_view value) {
  if (!IsName(name) || !IsValue(value)) return false;
  if (name.starts_with(':')) return OnPseudoHeader(name, value);
  regular_seen_ = true;
  if (name == "te") return value == "trailers";
  if (name == "content-length") return OnContentLength(value);
  return !IsOfConnection(name);
}

bool RequestRules::OnPseudoHeader(std::string_view name, std::string_view value) {
  Pseudo which;
  if (name == ":method") {
    which = kMethod;
    if (nghttp2_check_method(Bytes(value), value.size()) == 0) return false;
    connect_ = value == "CONNECT";
  } else if (name == ":scheme") {
    which = kScheme;
    if (value.empty()) return false;
  } else if (name == ":authority") {
    which = kAuthority;
  } else if (name == ":path") {
    which = kPath;
    if (value != "*" && !value.starts_with('/')) return false;
  } else {
    return false;
  }
  if (regular_seen_ || (seen_ & which) != 0) return false;
  seen_ |= which;
  return true;
}

bool RequestRules::OnHeadersEnd() const {
  const uint8_t needed = connect_ ? kMethod | kAuthority : kMethod | kScheme | kPath;
  return (seen_ & needed) == needed;
}

bool RequestRules::OnTrailer(std::string_view name, std::string_view value) {
  return IsName(name) && IsValue(value) && !name.starts_with(':') && !IsOfConnection(name);
}

bool RequestRules::OnContentLength(std::string_view value) {
  uint64_t length = 0;
  const char* end = value.data() + value.size();
  auto [stop, error] = std::from_chars(value.data(), end, length);
  if (error != std::errc() || stop != end || content_length_) return false;
  content_length_ = length;
  return true;
}

bool RequestRules::OnBody(size_t bytes) {
  body_bytes_ += bytes;
  return !content_length_ || body_bytes_ <= *content_length_;
}

}  // namespace tikv::rpc
