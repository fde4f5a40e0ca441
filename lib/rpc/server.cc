#include "lib/rpc/server.h"

#include <google/protobuf/stubs/logging.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <thread>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/rpc/connection.h"
#include "lib/rpc/listener.h"
#include "lib/rpc/server_state.h"

namespace tikv::rpc {
namespace {

// After the first GOAWAY, how long requests already on their way may still start.
constexpr std::chrono::milliseconds kGoawayGrace{200};
constexpr std::chrono::milliseconds kDrainPoll{5};
// Of the connections, so many (at least one) make room when the limit is reached.
constexpr size_t kEvictFraction = 100;
// Beyond the limit by this share new connections are refused at once.
constexpr size_t kOverflowFraction = 50;

// Makes room on one loop: what lingers goes for good, the oldest idle ones are told to go.
void EvictOldestIdle(Loop* loop, ServerStats* stats) {
  std::vector<Connection*> idle, lingering;
  for (Connection* c : loop->connections()) {
    if (c->lingering()) {
      lingering.push_back(c);
    } else if (c->idle()) {
      idle.push_back(c);
    }
  }
  for (Connection* c : lingering) c->Close(Connection::CloseReason::kLimit);
  size_t n =
      std::min(idle.size(), std::max<size_t>(1, loop->connections().size() / kEvictFraction));
  std::partial_sort(
      idle.begin(), idle.begin() + static_cast<long>(n), idle.end(),
      [](Connection* a, Connection* b) { return a->last_activity_ns() < b->last_activity_ns(); });
  for (size_t i = 0; i < n; ++i) {
    stats->evicted_idle.fetch_add(1, std::memory_order_relaxed);
    idle[i]->GoAway();
  }
}

}  // namespace

// The loops and listeners of a server; declared in server.h only as what a Server owns.
struct Server::Impl {
  explicit Impl(ServerOptions options)
      : shared(std::make_shared<ServerState>(std::move(options))) {}

  void StartLoops();
  void OnAccept(int fd, std::string peer, std::string ip);
  void EvictEverywhere();  // On loop 0, as the next.
  bool Admit(const std::string& ip);
  void RunOnLoop(Loop& loop, Task task);
  void CloseListeners();

  std::shared_ptr<ServerState> shared;
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<std::unique_ptr<Listener>> listeners;  // Touched on loop 0 only.
  size_t next_loop = 0;                              // Likewise.
  std::atomic<size_t> evicting{0};                   // Other loops that have yet to make room.
  std::mutex mutex;
  bool started = false;  // Guarded by mutex.
  bool stopped = false;
};

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  // OpenSSL writes without MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
  // protobuf would write a line to stderr for each message with bad UTF-8.
  google::protobuf::SetLogHandler(nullptr);
  CHECK_GE(impl_->shared->options.loops, 1);
}

Server::~Server() { Stop(); }

void Server::RegisterUnary(std::string path, UnaryHandler handler) {
  impl_->shared->methods[std::move(path)] = Method{std::move(handler), nullptr};
}

void Server::RegisterStream(std::string path, StreamFactory factory) {
  impl_->shared->methods[std::move(path)] = Method{nullptr, std::move(factory)};
}

void Server::SetHttpHandler(std::function<void(HandedOver)> handler) {
  impl_->shared->http_handler = std::move(handler);
}

const ServerStats& Server::stats() const { return impl_->shared->stats; }

bool Server::InLoopThread() const {
  for (const auto& loop : impl_->loops) {
    if (loop->InThread()) return true;
  }
  return false;
}

void Server::Impl::StartLoops() {
  for (int i = 0; i < shared->options.loops; ++i) {
    loops.push_back(std::make_unique<Loop>(fmt::format("{}-{}", shared->options.thread_name, i),
                                           shared->options.spin));
    loops.back()->Start();
  }
}

absl::StatusOr<int> Server::Listen(const std::string& address) {
  std::lock_guard lock(impl_->mutex);
  if (impl_->stopped) return FailedPrecondition("the server was stopped");
  if (!impl_->started) {
    if (impl_->shared->options.tls.enabled()) {
      ASSIGN_OR_RETURN(impl_->shared->tls,
                       TlsSource::Open(impl_->shared->options, &impl_->shared->stats));
    }
  }
  ASSIGN_OR_RETURN(int fd, ListenOn(address));
  int port = BoundPort(fd);
  if (!impl_->started) impl_->StartLoops();
  impl_->started = true;
  Impl* impl = impl_.get();
  Loop* loop = impl->loops[0].get();
  impl->RunOnLoop(*loop, [impl, loop, fd] {
    impl->listeners.push_back(std::make_unique<Listener>(
        loop, fd, &impl->shared->stats,
        [impl](int accepted, std::string peer, std::string ip) {
          impl->OnAccept(accepted, std::move(peer), std::move(ip));
        },
        [impl] { impl->EvictEverywhere(); }));
  });
  return port;
}

// Runs `task` on the loop and waits for it.
void Server::Impl::RunOnLoop(Loop& loop, Task task) {
  if (loop.InThread()) return std::move(task)();
  std::mutex done_mutex;
  std::condition_variable done_cv;
  bool done = false;
  bool posted = loop.mailbox()->Post(Task([&] {
    std::move(task)();
    std::lock_guard lock(done_mutex);
    done = true;
    done_cv.notify_one();
  }));
  if (!posted) return;
  std::unique_lock lock(done_mutex);
  done_cv.wait(lock, [&] { return done; });
}

// The caller's loop makes room at once: others may be slow to come to it, and who connects next
// must not be refused for that.  They do one round at a time: a burst of connections must not evict
// more than it needs.
void Server::Impl::EvictEverywhere() {
  EvictOldestIdle(loops[0].get(), &shared->stats);
  if (evicting.load() != 0) return;
  evicting = loops.size() - 1;
  for (auto& loop : loops) {
    if (loop->InThread()) continue;
    bool posted = loop->mailbox()->Post(Task([this, loop = loop.get()] {
      EvictOldestIdle(loop, &shared->stats);
      --evicting;
    }));
    if (!posted) --evicting;
  }
}

// Whether a new connection is welcome; then it is counted.
bool Server::Impl::Admit(const std::string& ip) {
  const ServerLimits& limits = shared->options.limits;
  const ServerStats::Counter& total = shared->stats.connections;
  if (total.load(std::memory_order_relaxed) >= limits.max_connections) {
    EvictEverywhere();
    if (total.load(std::memory_order_relaxed) >=
        limits.max_connections + limits.max_connections / kOverflowFraction + 1) {
      return false;
    }
  }
  std::lock_guard lock(shared->mutex);
  size_t& of_peer = shared->connections_by_peer[ip];
  if (of_peer >= limits.max_connections_per_peer) return false;
  ++of_peer;
  shared->stats.connections.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Server::Impl::OnAccept(int fd, std::string peer, std::string ip) {
  if (!Admit(ip)) {
    shared->stats.refused_connections.fetch_add(1, std::memory_order_relaxed);
    close(fd);
    return;
  }
  // When another loop is too slow to make room, it gets no more: the room that this one makes for
  // it would never do.
  const size_t to = evicting.load() != 0 ? 0 : next_loop++ % loops.size();
  Loop* loop = loops[to].get();
  Task adopt([this, loop, fd, peer = std::move(peer), ip = std::move(ip)]() mutable {
    loop->Adopt(std::make_unique<Connection>(shared, loop, fd, std::move(peer), std::move(ip)));
  });
  if (loop->InThread()) return std::move(adopt)();
  if (!loop->mailbox()->Post(std::move(adopt))) close(fd);
}

void Server::Impl::CloseListeners() {
  if (!loops.empty()) RunOnLoop(*loops[0], [this] { listeners.clear(); });
}

void Server::Drain(std::chrono::milliseconds timeout) {
  {
    std::lock_guard lock(impl_->mutex);
    if (!impl_->started || impl_->stopped) return;
  }
  const auto until = std::chrono::steady_clock::now() + timeout;
  impl_->CloseListeners();
  auto tell_all = [this](void (Connection::*step)()) {
    for (auto& loop : impl_->loops) {
      impl_->RunOnLoop(*loop, [loop = loop.get(), step] {
        for (Connection* c : std::vector<Connection*>(loop->connections())) (c->*step)();
      });
    }
  };
  tell_all(&Connection::BeginDrain);
  std::this_thread::sleep_for(std::min(timeout, kGoawayGrace));
  tell_all(&Connection::FinishDrain);
  while (stats().connections.load() > 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(kDrainPoll);
  }
  Stop();
}

void Server::Stop() {
  {
    std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->stopped, true) || !impl_->started) return;
  }
  impl_->CloseListeners();
  for (auto& loop : impl_->loops) loop->Stop();
}

}  // namespace tikv::rpc
