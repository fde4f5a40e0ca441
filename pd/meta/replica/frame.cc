#include "pd/meta/replica/frame.h"

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::pd::meta {

std::string EncodeFrame(const Frame& frame) {
  std::string out;
  out.reserve(frame.payload.size() + 16);
  out.push_back(static_cast<char>(frame.type));
  if (frame.type == FrameType::kCall || frame.type == FrameType::kReply) PutVarint(&out, frame.id);
  if (frame.type == FrameType::kCall) out.push_back(static_cast<char>(frame.method));
  if (frame.type == FrameType::kReply) {
    out.push_back(static_cast<char>(frame.status.code()));
    std::string_view text = Message(frame.status);
    PutVarint(&out, text.size());
    out.append(text);
  }
  return out.append(frame.payload);
}

absl::StatusOr<Frame> DecodeFrame(std::string_view bytes) {
  const absl::Status bad = InvalidArgument("a frame from another member does not parse");
  if (bytes.empty()) return bad;
  Frame frame;
  frame.type = static_cast<FrameType>(bytes[0]);
  if (frame.type < FrameType::kRaft || frame.type > FrameType::kAlive) return bad;
  bytes.remove_prefix(1);
  if (frame.type == FrameType::kCall || frame.type == FrameType::kReply) {
    std::optional<uint64_t> id = GetVarint(&bytes);
    if (!id || bytes.empty()) return bad;
    frame.id = *id;
    const char second = bytes[0];
    bytes.remove_prefix(1);
    if (frame.type == FrameType::kCall) {
      frame.method = static_cast<CallMethod>(second);
    } else {
      std::optional<uint64_t> length = GetVarint(&bytes);
      if (!length || *length > bytes.size()) return bad;
      frame.status = absl::Status(static_cast<absl::StatusCode>(second),
                                  std::string(bytes.substr(0, *length)));
      bytes.remove_prefix(*length);
    }
  }
  frame.payload = std::string(bytes);
  return frame;
}

std::string EncodeNumbers(uint64_t first, uint64_t second) {
  std::string out;
  PutBig64(&out, first);
  PutBig64(&out, second);
  return out;
}

bool DecodeNumbers(std::string_view bytes, uint64_t* first, uint64_t* second) {
  if (bytes.size() != 16) return false;
  *first = GetBig64(bytes);
  *second = GetBig64(bytes.substr(8));
  return true;
}

}  // namespace tikv::pd::meta
