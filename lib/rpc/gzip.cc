#include "lib/rpc/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace tikv::rpc {
namespace {

constexpr size_t kRatioGrace = 4 << 20;
constexpr std::string_view kMagic = "\x1f\x8b";
constexpr size_t kSizeBytes = 4;  // At the end of gzip: how large it was, modulo 2^32.
constexpr int kGzipWindow = 16 + MAX_WBITS;
constexpr int kMemoryLevel = 8;  // zlib's default.

Bytef* Bytes(const char* data) { return reinterpret_cast<Bytef*>(const_cast<char*>(data)); }

absl::Status BadData() { return Internal("bad gzip data in a compressed message"); }

}  // namespace

Inflater::Inflater(std::string compressed, const InflateLimits& limits)
    : compressed_(std::move(compressed)), limits_(limits) {}

Inflater::~Inflater() {
  if (stream_ != nullptr) inflateEnd(stream_.get());
}

absl::Status Inflater::Start() {
  if (compressed_.size() < kMagic.size() + kSizeBytes || !compressed_.starts_with(kMagic)) {
    return BadData();
  }
  for (size_t i = 0; i < kSizeBytes; ++i) {
    size_ = size_ << 8 | static_cast<unsigned char>(compressed_[compressed_.size() - 1 - i]);
  }
  const size_t bound =
      std::min(limits_.max_bytes, std::max(kRatioGrace, compressed_.size() * limits_.max_ratio));
  if (size_ > bound) {
    return ResourceExhausted("{} bytes of a compressed message inflate to more than {}",
                             compressed_.size(), bound);
  }
  auto stream = std::make_unique<z_stream>();
  if (inflateInit2(stream.get(), kGzipWindow) != Z_OK) return Internal("zlib does not start");
  stream_ = std::move(stream);
  stream_->next_in = Bytes(compressed_.data());
  stream_->avail_in = static_cast<uInt>(compressed_.size());
  output_.reserve(size_);
  return absl::OkStatus();
}

absl::StatusOr<bool> Inflater::Step(size_t max_output) {
  if (stream_ == nullptr) RETURN_IF_ERROR(Start());
  z_stream& z = *stream_;
  const size_t before = output_.size();
  const size_t room = std::min(max_output, size_ - before);
  output_.resize(before + room);
  z.next_out = Bytes(output_.data() + before);
  z.avail_out = static_cast<uInt>(room);
  const int result = inflate(&z, Z_NO_FLUSH);
  if (result == Z_STREAM_END) {
    if (z.avail_in != 0) return Internal("bytes after the end of a compressed message");
    if (z.avail_out != 0 || output_.size() != size_) return BadData();
    return true;
  }
  if (result != Z_OK && result != Z_BUF_ERROR) return BadData();
  if (room == 0) {
    return ResourceExhausted("a compressed message inflates to more than the {} bytes it claims",
                             size_);
  }
  if (z.avail_out != 0) return BadData();  // Out of input before it is complete.
  return false;
}

absl::StatusOr<std::string> Gunzip(std::string compressed, const InflateLimits& limits) {
  Inflater inflater(std::move(compressed), limits);
  for (;;) {
    ASSIGN_OR_RETURN(bool done, inflater.Step(limits.max_bytes));
    if (done) return inflater.TakeOutput();
  }
}

std::string Gzip(std::string_view plain) {
  z_stream z{};
  CHECK_EQ(
      deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY),
      Z_OK);
  std::string out(deflateBound(&z, plain.size()), '\0');
  z.next_in = Bytes(plain.data());
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = Bytes(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

}  // namespace tikv::rpc
