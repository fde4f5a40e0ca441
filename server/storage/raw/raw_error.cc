#include "server/storage/raw/raw_error.h"

#include <fmt/core.h>

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::server {

RawError RawError::InvalidCf(std::string_view cf) {
  return {"InvalidCf", fmt::format("invalid cf name: {}", cf)};
}

RawError RawError::TtlNotEnabled() {
  return {"TtlNotEnabled", "ttl is not enabled on this store, but the request needs it"};
}

RawError RawError::TtlCountMismatch() {
  return {"TtlLenNotEqualsToPairs", "the length of ttls must be 0, 1 or that of the pairs"};
}

RawError RawError::KeyTooLarge(size_t size, size_t limit) {
  return {"KeyTooLarge", fmt::format("max key size exceeded, size: {}, limit: {}", size, limit)};
}

RawError RawError::InvalidKeyRanges() {
  return {"InvalidKeyRanges", "Invalid KeyRanges: each must be in the order of the scan"};
}

RawError RawError::ApiVersionNotMatched(std::string_view command, std::string_view storage,
                                        std::string_view request) {
  return {"ApiVersionNotMatched",
          fmt::format("Api version in request does not match with TiKV storage, cmd: {}, "
                      "storage: {}, request: {}",
                      command, storage, request)};
}

RawError RawError::InvalidKeyMode(std::string_view command, std::string_view storage,
                                  std::string_view key) {
  return {"InvalidKeyMode",
          fmt::format("Key mode mismatched with the request mode, cmd: {}, storage: {}, key: {}",
                      command, storage, Hex(key))};
}

RawError RawError::ResultTooLarge(size_t limit) {
  return {"ResultTooLarge",
          fmt::format("the result exceeds {} bytes; ask for fewer pairs at once", limit)};
}

RawError RawError::CacheMiss() {
  RawError error("CacheMiss", "the data is not in memory");
  error.cache_miss_ = true;
  return error;
}

RawError RawError::Engine(const absl::Status& status) {
  return {"Engine", fmt::format("storage engine: {}", Message(status))};
}

}  // namespace tikv::server
