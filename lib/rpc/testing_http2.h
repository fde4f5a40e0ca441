// HTTP/2 by hand, for tests that say what no library would.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tikv::rpc {

using Frames = std::vector<std::string>;

enum FrameType : uint8_t {
  kData,
  kHeaders,
  kPriority,
  kReset,
  kSettings,
  kPush,
  kPing,
  kGoAway,
  kWindowUpdate,
  kContinuation
};
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;

inline std::string Number(uint64_t n, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(n >> (8 * i)));
  return out;
}

inline std::string Frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out = Number(payload.size(), 3) + Number(type, 1) + Number(flags, 1);
  return out.append(Number(stream, 4)).append(payload);
}

// HPACK, literal without indexing; texts shorter than 127 bytes.
inline std::string Field(std::string_view name, std::string_view value) {
  return std::string(1, '\0') + Number(name.size(), 1) + std::string(name) +
         Number(value.size(), 1) + std::string(value);
}

inline std::string Block(std::string_view path, std::string_view more = "") {
  return Field(":method", "POST") + Field(":scheme", "http") + Field(":path", path) +
         Field(":authority", "x") + Field("content-type", "application/grpc") +
         Field("te", "trailers") + std::string(more);
}

inline std::string Message(std::string_view body, bool compressed = false) {
  return Number(compressed, 1) + Number(body.size(), 4) + std::string(body);
}

inline Frames Opening() {
  return {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Frame(kSettings, 0, 0, ""),
          Frame(kSettings, kAck, 0, ""), Frame(kWindowUpdate, 0, 0, Number(1 << 20, 4))};
}

// A blocking socket whose reads give up after 20 s; -1: refused.
inline int ConnectTo(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  timeval patience{.tv_sec = 20, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0 ? fd : -1;
}

}  // namespace tikv::rpc
