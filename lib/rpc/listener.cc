#include "lib/rpc/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/status.h"

namespace tikv::rpc {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerTurn = 64;

struct HostPort {
  std::string host;
  std::string port;
};

absl::StatusOr<HostPort> Split(const std::string& address) {
  size_t colon = address.rfind(':');
  if (colon == std::string::npos) return InvalidArgument("address {}: expected host:port", address);
  HostPort result{address.substr(0, colon), address.substr(colon + 1)};
  if (result.host.size() >= 2 && result.host.front() == '[' && result.host.back() == ']') {
    result.host = result.host.substr(1, result.host.size() - 2);
  }
  return result;
}

absl::StatusOr<int> OpenSocket(const addrinfo& info, const std::string& address) {
  int fd = socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket", address);
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  const char* step = "bind";
  if (bind(fd, info.ai_addr, info.ai_addrlen) == 0) {
    step = "listen on";
    if (listen(fd, kBacklog) == 0) return fd;
  }
  int error = errno;
  close(fd);
  if (error == EADDRINUSE) return AlreadyExists("address {} is already in use", address);
  return ErrnoStatus(error, step, address);
}

void Describe(const sockaddr_storage& from, std::string* peer, std::string* ip) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    *peer = fmt::format("{}:{}", text, ntohs(v4.sin_port));
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    *peer = fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  *ip = text;
}

}  // namespace

absl::StatusOr<int> ListenOn(const std::string& address) {
  ASSIGN_OR_RETURN(HostPort where, Split(address));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  int error = getaddrinfo(where.host.empty() ? nullptr : where.host.c_str(), where.port.c_str(),
                          &hints, &found);
  if (error != 0) return InvalidArgument("address {}: {}", address, gai_strerror(error));
  absl::StatusOr<int> fd = OpenSocket(*found, address);
  freeaddrinfo(found);
  return fd;
}

int BoundPort(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(bound).sin_port);
}

Listener::Listener(Loop* loop, int fd, ServerStats* stats, OnAccept on_accept,
                   std::function<void()> on_exhausted)
    : loop_(loop),
      fd_(fd),
      spare_fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      stats_(stats),
      on_accept_(std::move(on_accept)),
      on_exhausted_(std::move(on_exhausted)) {
  loop_->Watch(fd_, EPOLLIN, this);
}

Listener::~Listener() {
  loop_->Unwatch(fd_);
  close(fd_);
  if (spare_fd_ >= 0) close(spare_fd_);
}

void Listener::OnEvents(uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn && AcceptOne(); ++i) {
  }
}

bool Listener::AcceptOne() {
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == ECONNABORTED || errno == EINTR) return true;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) RefuseOne();
    return false;
  }
  stats_->accepted.fetch_add(1, std::memory_order_relaxed);
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  std::string peer, ip;
  Describe(from, &peer, &ip);
  on_accept_(fd, std::move(peer), std::move(ip));
  return true;
}

void Listener::RefuseOne() {
  stats_->accept_errors.fetch_add(1, std::memory_order_relaxed);
  if (spare_fd_ >= 0) close(spare_fd_);
  int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) close(fd);
  spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  on_exhausted_();
}

}  // namespace tikv::rpc
