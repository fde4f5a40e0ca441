// pd-server.
#include <signal.h>

#include <cstdio>

#include "lib/base/status.h"
#include "pd/node/node.h"
#include "pd/node/options.h"

namespace {

// Blocked in all threads, since threads inherit the mask; main takes them by sigwait.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

}  // namespace

int main(int argc, char** argv) {
  using tikv::pd::CommandLine;
  CommandLine command = tikv::pd::ParseCommandLine(argc, argv);
  if (command.action != CommandLine::Action::kRun) {
    const bool good = command.action == CommandLine::Action::kPrint;
    std::fputs(command.text.c_str(), good ? stdout : stderr);
    return good ? 0 : 1;
  }
  const sigset_t signals = BlockStopSignals();
  tikv::pd::Node node(std::move(command));
  if (absl::Status status = node.Start(); !status.ok()) {
    const std::string_view text = tikv::Message(status);
    std::fprintf(stderr, "pd-server: %.*s\n", static_cast<int>(text.size()), text.data());
    return 1;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  node.Stop();
  return 0;
}
