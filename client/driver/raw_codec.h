// The keys of the raw API as they go over the wire, per API version.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "client/raw_client.h"

namespace tikv::client {

// Keys go bare in V1 and V1TTL.  In V2 a key is 'r', three bytes of keyspace (0, the default one)
// and the user's key, and region boundaries at PD are the memcomparable form of that.
class RawCodec {
 public:
  explicit RawCodec(ApiVersion version) : version_(version) {}

  // What a request carries for the user's key.
  std::string Key(std::string_view user) const;
  // The end of a range: "" means the end of all raw keys.
  std::string RangeEnd(std::string_view user) const;
  // The user's key of one that came in a reply.
  std::string User(std::string_view wire) const;

  // What PD knows a wire key as.
  std::string ToPd(std::string_view wire) const;
  // The wire key of a region's boundary; InvalidArgument when it is malformed.
  absl::StatusOr<std::string> FromPd(std::string_view boundary) const;

  ApiVersion version() const { return version_; }

 private:
  ApiVersion version_;
};

}  // namespace tikv::client
