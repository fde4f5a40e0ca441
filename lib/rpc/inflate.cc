#include "lib/rpc/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "lib/base/status.h"

namespace tikv::rpc {
namespace {

constexpr size_t kRatioGrace = 4 << 20;
constexpr size_t kSmallestPiece = 4 << 10;
constexpr size_t kLargestPiece = 1 << 20;
constexpr int kGzipWindow = 16 + MAX_WBITS;

}  // namespace

absl::StatusOr<std::string> Gunzip(std::string_view compressed, const InflateLimits& limits) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return Internal("zlib does not start");
  std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());

  // In pieces: growing one string would hold three times what a bomb is allowed.
  std::vector<std::string> pieces;
  size_t size = 0;
  for (int result = Z_OK; result != Z_STREAM_END;) {
    if (stream.avail_out == 0) {
      pieces.emplace_back(std::clamp(size, kSmallestPiece, kLargestPiece), '\0');
      stream.next_out = reinterpret_cast<Bytef*>(pieces.back().data());
      stream.avail_out = static_cast<uInt>(pieces.back().size());
    }
    const uInt before = stream.avail_out;
    result = inflate(&stream, Z_NO_FLUSH);
    size += before - stream.avail_out;
    // Judged as it goes: a bomb is known by its first megabytes.
    const size_t taken = compressed.size() - stream.avail_in;
    const size_t bound =
        std::min(limits.max_bytes, std::max(kRatioGrace, taken * limits.max_ratio));
    if (size > bound) {
      return ResourceExhausted("{} bytes of a compressed message inflate to more than {}", taken,
                               bound);
    }
    const bool starved = stream.avail_in == 0 && stream.avail_out != 0;
    if (result != Z_STREAM_END && (result != Z_OK || starved)) {
      return Internal("bad gzip data in a compressed message");
    }
  }
  if (stream.avail_in != 0) return Internal("bytes after the end of a compressed message");
  pieces.back().erase(pieces.back().size() - stream.avail_out);
  if (pieces.size() == 1) return std::move(pieces[0]);
  std::string out;
  out.reserve(size);
  for (const std::string& piece : pieces) out.append(piece);
  return out;
}

}  // namespace tikv::rpc
