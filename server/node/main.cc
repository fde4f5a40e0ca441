// tikv-server.
#include <signal.h>

#include <cstdio>

#include "lib/base/status.h"
#include "server/node/node.h"
#include "server/node/options.h"

namespace {

// Blocked in all threads, since threads inherit the mask; main takes them by sigwait.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

bool StopSignalPending() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

int Fail(const absl::Status& status) {
  const std::string_view text = tikv::Message(status);
  std::fprintf(stderr, "tikv-server: %.*s\n", static_cast<int>(text.size()), text.data());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using tikv::server::CommandLine;
  CommandLine command = tikv::server::ParseCommandLine(argc, argv);
  if (command.action != CommandLine::Action::kRun) {
    const bool good = command.action == CommandLine::Action::kPrint;
    std::fputs(command.text.c_str(), good ? stdout : stderr);
    return good ? 0 : 1;
  }
  const sigset_t signals = BlockStopSignals();
  tikv::server::Node node(std::move(command), argc, argv);
  if (absl::Status status = node.Start(&StopSignalPending); !status.ok()) {
    return absl::IsCancelled(status) ? 0 : Fail(status);  // Asked to stop before it had begun.
  }
  int signal = 0;
  sigwait(&signals, &signal);
  node.Stop();
  return 0;
}
