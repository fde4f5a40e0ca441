#include "client/ctl/playground.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>

#include "client/ctl/child.h"
#include "client/ctl/cluster_status.h"
#include "client/ctl/restart_backoff.h"
#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::client {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr uint64_t kNeededBytes = uint64_t{1}
                                  << 30;  // Logs preallocate; less soon stops the stores.
constexpr seconds kStopLimit{8};          // Of the promised 10.
constexpr seconds kStartLimit{60};
constexpr std::chrono::milliseconds kAskLimit{500};  // Ctrl-C waits for it.

std::string OwnFolder() {
  char path[4096];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  const std::string full(path, n > 0 ? n : 0);
  return full.substr(0, full.rfind('/'));
}

absl::Status MakeFolders(const std::string& path) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at + 1);
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
      return ErrnoStatus(errno, "cannot create the folder", part);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPort(int port, std::string_view flag) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "cannot open a socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int error =
      ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(fd);
  if (error == 0) return absl::OkStatus();
  if (error != EADDRINUSE) return ErrnoStatus(error, "cannot listen on port", std::to_string(port));
  return AlreadyExists("Port {} is taken by another program: stop it, or choose another with {}.",
                       port, flag);
}

// How many of prefix-1, prefix-2, ... have data under `dir`.
int CountData(const std::string& dir, std::string_view prefix) {
  int n = 0;
  while (::access(fmt::format("{}/{}{}/data", dir, prefix, n + 1).c_str(), F_OK) == 0) ++n;
  return n;
}

absl::Status CheckDisk(const std::string& dir) {
  struct statvfs fs {};
  if (::statvfs(dir.c_str(), &fs) != 0) return ErrnoStatus(errno, "cannot look at", dir);
  const uint64_t free = static_cast<uint64_t>(fs.f_bavail) * fs.f_frsize;
  if (free >= kNeededBytes) return absl::OkStatus();
  return ResourceExhausted(
      "The disk under {} is full: {} are free and {} are needed; free some space, or choose "
      "another "
      "folder with --data-dir.",
      dir, HumanBytes(free), HumanBytes(kNeededBytes));
}

// Runs the children and shows them; see RunPlayground.
class Playground {
 public:
  explicit Playground(const PlaygroundOptions& options)
      : options_(options), terminal_(::isatty(STDOUT_FILENO) != 0) {}
  ~Playground() {
    for (auto& server : servers_) server.child->Kill();
    if (lock_ >= 0) ::close(lock_);
  }

  absl::Status Run() {
    RETURN_IF_ERROR(Prepare());
    AddMembers();
    AddStores();
    for (auto& server : servers_) {
      RETURN_IF_ERROR(server.child->Start());
      server.backoff.Started(Steady::now());
    }
    RETURN_IF_ERROR(WaitUntilServing());
    if (!stopping_) {
      PrintGuide();
      Watch();
    }
    return StopAll();
  }

 private:
  absl::Status Prepare() {
    sigemptyset(&signals_);
    for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, s);
    ::sigprocmask(SIG_BLOCK, &signals_, nullptr);

    RETURN_IF_ERROR(MakeFolders(options_.data_dir));
    RETURN_IF_ERROR(LockFolder());
    RETURN_IF_ERROR(CheckDisk(options_.data_dir));
    RETURN_IF_ERROR(CheckMembers());
    RETURN_IF_ERROR(CheckPorts());
    return RememberPdPort();
  }

  // Several members find each other by the addresses of their first start, which the lock file
  // remembers.
  absl::Status RememberPdPort() const {
    char text[16] = {};
    const ssize_t n = ::pread(lock_, text, sizeof text - 1, 0);
    const int before = n > 0 ? std::atoi(text) : 0;
    const bool bound = options_.pds > 1 && CountData(options_.data_dir, "pd-") > 0;
    if (bound && before != 0 && before != options_.pd_port) {
      return FailedPrecondition(
          "The PD members in {} know each other by their ports: continue the cluster with "
          "--pd-port {}, or choose another folder with --data-dir.",
          options_.data_dir, before);
    }
    const std::string now = fmt::format("{}\n", options_.pd_port);
    if (::ftruncate(lock_, 0) == 0 && ::pwrite(lock_, now.data(), now.size(), 0) > 0) {
      return absl::OkStatus();
    }
    return ErrnoStatus(errno, "cannot write in", options_.data_dir);
  }

  // Another number of PD members would make a second cluster beside the first; a store that is left
  // out may hold the majority of a region.
  absl::Status CheckMembers() const {
    const int pds = CountData(options_.data_dir, "pd-");
    const int stores = CountData(options_.data_dir, "store-");
    if ((pds == 0 || pds == options_.pds) && stores <= options_.stores) return absl::OkStatus();
    return FailedPrecondition(
        "The cluster in {} has {} PD and {} stores: continue it with --pd {} --stores {}, or "
        "choose another folder with --data-dir.",
        options_.data_dir, pds, stores, pds, stores);
  }

  absl::Status CheckPorts() const {
    std::map<int, std::string_view> ports;
    const auto take = [&](int port, std::string_view flag) {
      const auto [at, fresh] = ports.emplace(port, flag);
      if (fresh) return CheckPort(port, flag);
      return InvalidArgument("Port {} would be used twice: keep {} and {} further apart.", port,
                             at->second, flag);
    };
    for (int i = 0; i < options_.pds; ++i) {
      RETURN_IF_ERROR(take(ClientPort(i), "--pd-port"));
      RETURN_IF_ERROR(take(ClientPort(i) + 1, "--pd-port"));
    }
    for (int i = 0; i < options_.stores; ++i) {
      RETURN_IF_ERROR(take(options_.store_port + i, "--store-port"));
      RETURN_IF_ERROR(take(options_.status_port + i, "--status-port"));
    }
    return absl::OkStatus();
  }

  absl::Status LockFolder() {
    const std::string path = options_.data_dir + "/playground.lock";
    lock_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (lock_ < 0) return ErrnoStatus(errno, "cannot write", path);
    if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
    return FailedPrecondition(
        "The folder {} is in use by another playground: stop that one, or choose another folder "
        "with --data-dir.",
        options_.data_dir);
  }

  int ClientPort(int i) const { return options_.pd_port + 2 * i; }
  std::string Endpoint(int i) const { return fmt::format("127.0.0.1:{}", ClientPort(i)); }
  std::string Endpoints() const {
    std::string all;
    for (int i = 0; i < options_.pds; ++i) all += (i > 0 ? "," : "") + Endpoint(i);
    return all;
  }

  void AddMembers() {
    std::string initial;
    for (int i = 0; i < options_.pds; ++i) {
      initial +=
          fmt::format("{}pd-{}=http://127.0.0.1:{}", i > 0 ? "," : "", i + 1, ClientPort(i) + 1);
    }
    for (int i = 0; i < options_.pds; ++i) {
      const std::string name = fmt::format("pd-{}", i + 1);
      const std::string dir = options_.data_dir + "/" + name;
      const std::string client = "http://" + Endpoint(i);
      const std::string peer = fmt::format("http://127.0.0.1:{}", ClientPort(i) + 1);
      std::vector<std::string> argv = {
          OwnFolder() + "/pd-server",          "--name=" + name,
          "--data-dir=" + dir + "/data",       "--client-urls=" + client,
          "--advertise-client-urls=" + client, "--peer-urls=" + peer,
          "--advertise-peer-urls=" + peer,     "--initial-cluster=" + initial,
          "--log-file=" + dir + "/pd.log"};
      if (!options_.pd_config.empty()) argv.push_back("--config=" + options_.pd_config);
      Add(name, dir, std::move(argv));
    }
  }

  void AddStores() {
    for (int i = 0; i < options_.stores; ++i) {
      const std::string name = fmt::format("store-{}", i + 1);
      const std::string dir = options_.data_dir + "/" + name;
      const std::string address = fmt::format("127.0.0.1:{}", options_.store_port + i);
      const std::string status = fmt::format("127.0.0.1:{}", options_.status_port + i);
      std::vector<std::string> argv = {OwnFolder() + "/tikv-server",
                                       "--addr=" + address,
                                       "--advertise-addr=" + address,
                                       "--status-addr=" + status,
                                       "--advertise-status-addr=" + status,
                                       "--data-dir=" + dir + "/data",
                                       "--pd=" + Endpoints(),
                                       "--log-file=" + dir + "/tikv.log"};
      if (!options_.store_config.empty()) argv.push_back("--config=" + options_.store_config);
      Add(name, dir, std::move(argv));
    }
  }

  void Add(const std::string& name, const std::string& dir, std::vector<std::string> argv) {
    // A folder that cannot be made shows when the child's output is opened.
    MakeFolders(dir).IgnoreError();
    servers_.push_back({std::make_unique<Child>(
        Child::Spec{.name = name, .argv = std::move(argv), .output = dir + "/output.log"})});
  }

  // Waits a little, or for a signal, which begins the end.
  void Pause() {
    const timespec second{.tv_sec = 0, .tv_nsec = 500'000'000};
    if (::sigtimedwait(&signals_, nullptr, &second) > 0) stopping_ = true;
  }

  absl::StatusOr<ClusterStatus> Fetch() {
    std::vector<std::string> endpoints;
    for (int i = 0; i < options_.pds; ++i) endpoints.push_back("http://" + Endpoint(i));
    return FetchClusterStatus(&http_, endpoints, kAskLimit);
  }

  // An end of any server during the start is an error of the whole: its own words say why.
  absl::Status WaitUntilServing() {
    fmt::print("Starting {} PD and {} stores, data in {} ...\n", options_.pds, options_.stores,
               options_.data_dir);
    std::fflush(stdout);
    const auto limit = Steady::now() + kStartLimit;
    while (!stopping_) {
      for (auto& [child, backoff] : servers_) {
        if (child->Reap()) return Internal("{} did not start: {}", child->name(), child->Reason());
      }
      const auto status = Fetch();
      if (status.ok() && AllUp(*status)) return absl::OkStatus();
      if (Steady::now() > limit) {
        return DeadlineExceeded(
            "The cluster did not come up within {} s; the servers' logs are in {}/*/*.log.",
            kStartLimit.count(), options_.data_dir);
      }
      Pause();
    }
    return absl::OkStatus();
  }

  bool AllUp(const ClusterStatus& status) const {
    int up = 0;
    uint64_t leaders = 0;
    for (const StoreStatus& s : status.stores) {
      up += s.state == "Up";
      leaders += s.leaders;
    }
    return up >= options_.stores && leaders > 0;
  }

  void PrintGuide() {
    fmt::print(
        "The cluster is up.\n\n"
        "  PD endpoint      {0}   (for TiKV clients in any language)\n"
        "  try it           {1}/tikv-ctl --pd {0} raw put hello world\n"
        "                   {1}/tikv-ctl --pd {0} raw get hello\n"
        "  metrics          http://127.0.0.1:{2}/metrics\n"
        "  logs             {3}/*/*.log\n"
        "  stop             Ctrl-C; the data stays\n\n",
        Endpoints(), OwnFolder(), options_.status_port, options_.data_dir);
    std::fflush(stdout);
  }

  void Watch() {
    while (!stopping_) {
      Pause();
      ReapAndRestart();
      Show();
    }
  }

  void ReapAndRestart() {
    const auto now = Steady::now();
    for (auto& [child, backoff] : servers_) {
      if (child->Reap()) {
        const seconds wait = backoff.Ended(now);
        Say(fmt::format(
            "{} {}{}", child->name(), child->Reason(),
            options_.restart ? fmt::format("; starting it again in {} s", wait.count()) : ""));
      }
      if (child->running() || !options_.restart || stopping_ || !backoff.Due(now)) continue;
      if (const absl::Status s = child->Start(); !s.ok()) Say(std::string(Message(s)));
      backoff.Started(now);
    }
  }

  // On a terminal the table is drawn over the last one; elsewhere a line per change.
  void Show() {
    const auto status = Fetch();
    const std::string table =
        status.ok() ? FormatTable(*status) : fmt::format("{}\n", Message(status.status()));
    if (terminal_) {
      if (shown_lines_ > 0) fmt::print("\x1b[{}A\x1b[J", shown_lines_);
      shown_lines_ = static_cast<int>(std::count(table.begin(), table.end(), '\n'));
      fmt::print("{}", table);
    } else if (table != shown_) {
      fmt::print("{}\n", table);
    }
    shown_ = table;
    std::fflush(stdout);
  }

  void Say(const std::string& text) {
    fmt::print("{}\n", text);
    shown_lines_ = 0;
    std::fflush(stdout);
  }

  // Stores first: they hand their leaders over and need PD for it.
  absl::Status StopAll() {
    Say("Stopping ...");
    const auto limit = Steady::now() + kStopLimit;
    const bool stores = StopSome("store-", limit);
    const bool members = StopSome("pd-", limit);
    if (stores && members) {
      Say(fmt::format("Stopped.  The data is in {}; the same command continues with it.",
                      options_.data_dir));
    } else {
      Say("Some servers did not stop in time and were killed; the data is safe.");
    }
    return absl::OkStatus();
  }

  bool StopSome(std::string_view prefix, Steady::time_point limit) {
    const auto ours = [&](const Child& c) { return c.running() && c.name().starts_with(prefix); };
    for (auto& [child, backoff] : servers_) {
      if (ours(*child)) child->Terminate();
    }
    bool clean = true;
    for (bool waiting = true; waiting;) {
      waiting = false;
      for (auto& [child, backoff] : servers_) {
        if (!ours(*child)) continue;
        child->Reap();
        if (!child->running()) continue;
        waiting = true;
        if (Steady::now() > limit) {
          child->Kill();
          clean = false;
        }
      }
      if (waiting) {
        const timespec tick{.tv_sec = 0, .tv_nsec = 20'000'000};
        ::sigtimedwait(&signals_, nullptr, &tick);  // A second Ctrl-C changes nothing.
      }
    }
    return clean;
  }

  const PlaygroundOptions options_;
  const bool terminal_;
  http::Client http_;
  sigset_t signals_{};
  bool stopping_ = false;
  int lock_ = -1;
  struct Server {
    std::unique_ptr<Child> child;
    RestartBackoff backoff = {};
  };
  std::vector<Server> servers_;  // PD members, then stores.
  std::string shown_;
  int shown_lines_ = 0;
};

}  // namespace

absl::Status RunPlayground(const PlaygroundOptions& options) { return Playground(options).Run(); }

}  // namespace tikv::client
