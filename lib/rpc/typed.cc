#include "lib/rpc/typed.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "lib/base/status.h"

namespace tikv::rpc {
namespace {

constexpr size_t kFramePrefix = 5;

void SerializeAfter(const google::protobuf::MessageLite& message, size_t room, std::string* out) {
  size_t size = message.ByteSizeLong();
  out->resize(room + size);
  google::protobuf::io::ArrayOutputStream array(out->data() + room, static_cast<int>(size));
  google::protobuf::io::CodedOutputStream stream(&array);
  // Map fields in a fixed order: equal messages have equal bytes.
  stream.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&stream);
}

}  // namespace

absl::Status ParseMessage(std::string_view bytes, std::string_view path,
                          google::protobuf::MessageLite* message) {
  // protobuf's own limit of nesting is 100.
  if (bytes.size() <= INT32_MAX &&
      message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::OkStatus();
  }
  return InvalidArgument("{}: {} bytes do not parse as {}", path, bytes.size(),
                         message->GetTypeName());
}

std::string SerializeFramed(const google::protobuf::MessageLite& message) {
  std::string out;
  SerializeAfter(message, kFramePrefix, &out);
  return out;
}

std::string SerializeBytes(const google::protobuf::MessageLite& message) {
  std::string out;
  SerializeAfter(message, 0, &out);
  return out;
}

}  // namespace tikv::rpc
