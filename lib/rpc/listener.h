// A listening socket on a loop.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>

#include "lib/rpc/loop.h"
#include "lib/rpc/options.h"

namespace tikv::rpc {

// "host:port", "[v6]:port" or ":port" to a listening, non-blocking socket.
absl::StatusOr<int> ListenOn(const std::string& address);
// The port that the kernel chose.
int BoundPort(int fd);

// Accepts in bounded bursts.  When the process is out of file descriptors it gives up a spare one
// to accept and close, so that clients see a refusal instead of a hang and the loop does not spin.
class Listener final : public EventSource {
 public:
  using OnAccept = std::function<void(int fd, std::string peer, std::string peer_ip)>;

  Listener(Loop* loop, int fd, ServerStats* stats, OnAccept on_accept,
           std::function<void()> on_exhausted);
  ~Listener() override;

  void OnEvents(uint32_t events) override;

 private:
  bool AcceptOne();
  void RefuseOne();

  Loop* const loop_;
  const int fd_;
  int spare_fd_;
  ServerStats* const stats_;
  OnAccept on_accept_;
  std::function<void()> on_exhausted_;
};

}  // namespace tikv::rpc
