// RawError: why a raw request failed.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <string_view>

#include "server/port/region_error.h"

namespace tikv::server {

// Empty means success.  Either a region error (the client retries elsewhere), or a final one with
// a text; `name` is the original's name of the case, which clients see where a reply has no text
// field of its own.
class RawError {
 public:
  RawError() = default;
  RawError(RegionError region) : region_(std::move(region)) {}  // NOLINT: plain conversion.

  static RawError InvalidCf(std::string_view cf);
  static RawError TtlNotEnabled();
  static RawError TtlCountMismatch();
  static RawError KeyTooLarge(size_t size, size_t limit);
  static RawError InvalidKeyRanges();
  // The request's API version is not that of the store's data.
  static RawError ApiVersionNotMatched(std::string_view command, std::string_view storage,
                                       std::string_view request);
  // A key that does not belong to the API it was sent through.
  static RawError InvalidKeyMode(std::string_view command, std::string_view storage,
                                 std::string_view key);
  static RawError ResultTooLarge(size_t limit);
  // Never leaves RawStorage: the answer is not in memory, so the read moves to the pool.
  static RawError CacheMiss();
  // The engine failed, or a stored value is damaged.
  static RawError Engine(const absl::Status& status);

  explicit operator bool() const { return is_region() || !text_.empty(); }
  bool is_cache_miss() const { return cache_miss_; }
  bool is_region() const { return static_cast<bool>(region_); }
  RegionError& region() { return region_; }
  const std::string& text() const { return text_; }
  const std::string& name() const { return name_; }
  // Both, for KeyError.abort.
  std::string AbortText() const { return name_ + ": " + text_; }

 private:
  RawError(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {}

  RegionError region_;
  std::string name_;
  std::string text_;
  bool cache_miss_ = false;
};

}  // namespace tikv::server
