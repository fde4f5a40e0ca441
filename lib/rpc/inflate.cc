#include "lib/rpc/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "lib/base/status.h"

namespace tikv::rpc {
namespace {

constexpr size_t kRatioGrace = 1 << 20;
constexpr int kGzipWindow = 16 + MAX_WBITS;

}  // namespace

absl::StatusOr<std::string> Gunzip(std::string_view compressed, const InflateLimits& limits) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return Internal("zlib does not start");
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());

  const size_t by_ratio = std::max(kRatioGrace, compressed.size() * limits.max_ratio);
  const size_t bound = std::min(limits.max_bytes, by_ratio);
  std::string out;
  size_t size = 0;
  for (;;) {
    // One byte over the bound, to tell "exactly at it" from "beyond".
    out.resize(std::min(bound + 1, std::max<size_t>({size * 2, compressed.size() * 2, 4096})));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + size);
    stream.avail_out = static_cast<uInt>(out.size() - size);
    int result = inflate(&stream, Z_NO_FLUSH);
    size = out.size() - stream.avail_out;
    if (size > bound) {
      return ResourceExhausted("message inflates from {} to more than {} bytes", compressed.size(),
                               bound);
    }
    if (result == Z_STREAM_END) break;
    if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return Internal("bad gzip data in a compressed message");
    }
  }
  if (stream.avail_in != 0) return Internal("bytes after the end of a compressed message");
  out.resize(size);
  return out;
}

}  // namespace tikv::rpc
