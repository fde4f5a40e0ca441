#include "client/ctl/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "lib/base/status.h"

namespace tikv::client {
namespace {

// Between fork and exec only async-signal-safe calls: everything is prepared before.
[[noreturn]] void Exec(char* const* argv, int output, pid_t parent) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::setpgid(0, 0);  // Ctrl-C in the terminal is for the playground, which stops us in order.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // It died before the line above.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

absl::Status Child::Start() {
  if (::access(spec_.argv[0].c_str(), X_OK) != 0) {
    return ErrnoStatus(errno, "cannot run", spec_.argv[0]);
  }
  const int output = ::open(spec_.output.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
  if (output < 0) return ErrnoStatus(errno, "cannot write", spec_.output);
  std::vector<char*> argv;
  for (std::string& arg : spec_.argv) argv.push_back(arg.data());
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) Exec(argv.data(), output, parent);
  const int error = errno;
  ::close(output);
  if (pid_ < 0) {
    pid_ = 0;
    return ErrnoStatus(error, "cannot fork");
  }
  return absl::OkStatus();
}

void Child::Terminate() {
  if (running()) ::kill(pid_, SIGTERM);
}

void Child::Kill() {
  if (running()) ::kill(pid_, SIGKILL);
}

bool Child::Reap() {
  if (!running() || ::waitpid(pid_, &wait_status_, WNOHANG) != pid_) return false;
  pid_ = 0;
  return true;
}

std::string Child::Reason() const {
  if (WIFSIGNALED(wait_status_))
    return fmt::format("was killed by signal {}", WTERMSIG(wait_status_));
  const std::string line = LastLine();
  if (!line.empty()) return line;
  return fmt::format("ended with code {}", WEXITSTATUS(wait_status_));
}

std::string Child::LastLine() const {
  std::ifstream in(spec_.output);
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace tikv::client
