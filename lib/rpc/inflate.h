// Decompression of gRPC messages, bounded.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace tikv::rpc {

// What a compressed message may become.
struct InflateLimits {
  size_t max_bytes;
  size_t max_ratio;  // Of output to input so far; applies past 4 MiB of output.
};

// gzip.  ResourceExhausted over a limit, as soon as it is reached; Internal for bad data.
absl::StatusOr<std::string> Gunzip(std::string_view compressed, const InflateLimits& limits);

}  // namespace tikv::rpc
