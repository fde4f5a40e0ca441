// Compression of gRPC messages, bounded.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>

typedef struct z_stream_s z_stream;

namespace tikv::rpc {

// What a compressed message may become.
struct InflateLimits {
  size_t max_bytes;
  size_t max_ratio;  // Of output to input so far; applies past 4 MiB of output.
};

// Decompresses one message in steps, so that a large one need not stop its thread.  Believes what
// the message says about its size, which memory is set aside for (and used as it fills), and
// refuses a message that turns out larger.
class Inflater {
 public:
  // `compressed` is the whole message.
  Inflater(std::string compressed, const InflateLimits& limits);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Goes on until `max_output` more bytes came out.  True: done.  ResourceExhausted over a limit,
  // before anything is inflated, and for more than the message says; Internal for bad data.
  absl::StatusOr<bool> Step(size_t max_output);
  size_t held_bytes() const { return compressed_.size() + output_.size(); }
  // After the last step.
  std::string TakeOutput() { return std::move(output_); }

 private:
  absl::Status Start();

  const std::string compressed_;
  const InflateLimits limits_;
  std::unique_ptr<z_stream> stream_;  // Null: not started.
  size_t size_ = 0;                   // Of the output, in all.
  std::string output_;
};

// All at once.
absl::StatusOr<std::string> Gunzip(std::string compressed, const InflateLimits& limits);
std::string Gzip(std::string_view plain);

}  // namespace tikv::rpc
