#include "pd/node/node.h"

#include <unistd.h>

#include <condition_variable>

#include "lib/base/status.h"
#include "lib/config/config.h"
#include "lib/engine/rocks/rocks_engine.h"
#include "lib/env/posix/clock.h"
#include "lib/env/posix/file_system.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/http/client.h"
#include "lib/http/server.h"
#include "lib/log/logger.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/server_metrics.h"
#include "lib/rpc/typed.h"
#include "pd/cluster/cluster.h"
#include "pd/meta/replica/peer_transport.h"
#include "pd/meta/replicated_store.h"
#include "pd/node/health.h"
#include "pd/node/join.h"
#include "pd/node/metrics.h"
#include "pd/port/host.h"
#include "pd/service/etcd/register.h"
#include "pd/service/grpc/register.h"
#include "pd/service/http/register.h"
#include "pd/service/tso/register.h"
#include "pd/tso/allocator.h"

namespace tikv::pd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kResignTimeout{2'000};
constexpr milliseconds kDrainTimeout{1'000};
// gRPC's own overhead on top of the largest request, as etcd allows it.
constexpr size_t kMessageOverhead = 512 << 10;

absl::StatusOr<std::unique_ptr<engine::KvEngine>> OpenEngine(const std::string& dir) {
  engine::RocksOptions options;
  options.dir = dir;
  options.block_cache_bytes = 64 << 20;
  options.background_threads = 2;
  options.max_wal_bytes = 64 << 20;
  for (engine::RocksCfOptions& cf : options.cf) {
    cf.write_buffer_bytes = 16 << 20;
    cf.max_write_buffers = 3;
  }
  return engine::OpenRocksEngine(options);
}

// Logs who leads.
class LeadershipLog : public meta::LeaderListener {
 public:
  explicit LeadershipLog(log::Logger log) : log_(std::move(log)) {}
  void OnBecomeLeader(uint64_t term) override {
    LOG_INFO(log_, "this member leads", {"term", term});
  }
  void OnLoseLeadership(uint64_t term) override {
    LOG_WARN(log_, "this member does not lead any more", {"term", term});
  }

 private:
  log::Logger log_;
};

ThreadExecutor::Options Named(std::string name) { return {.name = std::move(name)}; }

std::string AbsolutePath(const std::string& path) {
  if (!path.empty() && path[0] == '/') return path;
  char cwd[4096];
  return getcwd(cwd, sizeof(cwd)) != nullptr ? JoinPath(cwd, path) : path;
}

}  // namespace

// Declared in the order in which the parts are made; what is destroyed later may be used by what
// is destroyed earlier.
struct Node::Impl {
  explicit Impl(CommandLine c)
      : command(std::move(c)), config(command.config), seed(EntropySeed()) {}

  absl::Status OpenLog();
  absl::Status LockDataDir();
  absl::Status OpenStorage();
  absl::Status CreateStore();
  void RegisterServices();
  absl::Status Listen();
  void HandOver();
  void Stop();
  void OnFatal(const absl::Status& status);

  rpc::TlsFiles Tls() const;

  const CommandLine command;
  const NodeConfig config;
  const uint64_t seed;
  PosixClock clock;
  PosixFileSystem fs;
  log::Logger log;
  metrics::Registry registry;
  std::unique_ptr<FileLock> lock;

  std::unique_ptr<meta::Storage> storage;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<ThreadExecutor> meta_strand, watch_strand, tso_strand, core_strand, file_strand;
  std::unique_ptr<rpc::ChannelPool> channels;
  std::unique_ptr<http::Client> http_client;
  std::unique_ptr<meta::PeerTransport> transport;
  std::unique_ptr<meta::ReplicatedStore> store;
  std::unique_ptr<LeadershipLog> leadership_log;
  std::unique_ptr<tso::Allocator> tso;
  std::unique_ptr<NodeMetrics> node_metrics;
  Host host;
  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<etcd::EtcdServices> etcd_services;
  std::unique_ptr<TsoService> tso_service;
  std::unique_ptr<GrpcServices> grpc_services;
  http::Router router;
  std::unique_ptr<HttpServices> http_services;
  std::unique_ptr<http::Server> http_server;
  std::unique_ptr<rpc::Server> client_server, peer_server;
  std::optional<rpc::ServerMetrics> client_server_metrics, peer_server_metrics;
};

rpc::TlsFiles Node::Impl::Tls() const {
  return {config.security.cacert_path, config.security.cert_path, config.security.key_path,
          config.security.cert_allowed_cn};
}

absl::Status Node::Impl::OpenLog() {
  std::shared_ptr<log::Output> output = log::StderrOutput();
  if (const std::string& path = config.log.file.filename; !path.empty()) {
    RETURN_IF_ERROR(fs.CreateDirs(DirName(path)));
    ASSIGN_OR_RETURN(output, log::FileOutput(path, config.log.file.max_size << 20,
                                             static_cast<int>(config.log.file.max_backups)));
  }
  log = log::Logger(std::move(output), &clock, *log::ParseLevel(config.log.level));
  log.InstallFatalHook();
  for (const std::string& warning : command.warnings) {
    LOG_WARN(log, "configuration", {"warning", warning});
  }
  LOG_INFO(log, "starting pd-server", {"version", OwnVersion()}, {"name", config.name},
           {"data_dir", config.data_dir});
  return absl::OkStatus();
}

absl::Status Node::Impl::LockDataDir() {
  RETURN_IF_ERROR(fs.CreateDirs(config.data_dir));
  if (fs.Exists(JoinPath(config.data_dir, "member"))) {
    return FailedPrecondition(
        "the data directory {} belongs to the original PD, whose format this server does not read; "
        "join it as a new member with an empty directory instead",
        config.data_dir);
  }
  if (fs.Exists(JoinPath(config.data_dir, "raft-engine"))) {
    return FailedPrecondition("the data directory {} belongs to a store; give another --data-dir",
                              config.data_dir);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> held = fs.Lock(JoinPath(config.data_dir, "LOCK"));
  if (absl::IsUnavailable(held.status())) {
    return Unavailable("another process uses the data directory {}", config.data_dir);
  }
  if (!held.ok()) return held.status();
  lock = *std::move(held);
  return absl::OkStatus();
}

absl::Status Node::Impl::OpenStorage() {
  rpc::ChannelPoolOptions options;
  options.tls = Tls();
  options.thread_name = "pd-channels";
  options.initial_backoff = milliseconds(50);
  options.max_backoff = milliseconds(500);
  options.connect_timeout = milliseconds(1'000);
  channels = std::make_unique<rpc::ChannelPool>(options);
  ASSIGN_OR_RETURN(storage, meta::Storage::Open(&fs, config.data_dir, OpenEngine, seed));
  if (storage->identity()) {
    return config.force_new_cluster ? storage->ForceNewCluster() : absl::OkStatus();
  }
  const bool joins = !config.join.empty();
  ASSIGN_OR_RETURN(meta::Identity identity, joins ? PrepareJoin(config, channels.get())
                                                  : PrepareBootstrap(config, channels.get()));
  return storage->Initialize(std::move(identity), /*bootstrap=*/!joins);
}

absl::Status Node::Impl::CreateStore() {
  pool = std::make_unique<ThreadPool>(ThreadPool::Options{.name = "pd-pool", .threads = 4});
  meta_strand = std::make_unique<ThreadExecutor>(Named("pd-meta"), &clock);
  watch_strand = std::make_unique<ThreadExecutor>(Named("pd-watch"), &clock);
  tso_strand = std::make_unique<ThreadExecutor>(Named("pd-tso"), &clock);
  core_strand = std::make_unique<ThreadExecutor>(Named("pd-core"), &clock);
  file_strand = std::make_unique<ThreadExecutor>(Named("pd-files"), &clock);
  http::ClientOptions client;
  client.ca_path = config.security.cacert_path;
  client.cert_path = config.security.cert_path;
  client.key_path = config.security.key_path;
  http_client = std::make_unique<http::Client>(client);
  const meta::Identity& identity = *storage->identity();
  transport = std::make_unique<meta::PeerTransport>(
      meta::PeerTransportOptions{identity.raft_cluster_id, identity.member_id,
                                 storage->snapshot_dir()},
      meta::PeerTransportDeps{&clock, &fs, channels.get(), file_strand.get(), pool.get()});

  meta::StoreOptions options;
  options.name = config.name;
  options.client_urls = SplitCommas(config.advertise_client_urls);
  options.peer_urls = SplitCommas(config.advertise_peer_urls);
  options.binary_version = ReportedVersion();
  options.deploy_path = DirName(AbsolutePath(config.data_dir));
  options.replica.tick = config.tick_interval;
  options.replica.election_ticks =
      static_cast<int>(config.election_interval / config.tick_interval);
  options.replica.quota_bytes = config.quota_backend_bytes.bytes;
  if (config.auto_compaction_mode == "periodic") {
    ASSIGN_OR_RETURN(options.replica.compaction_retention,
                     config::ParseDuration(config.auto_compaction_retention));
  }
  meta::StoreDeps deps;
  deps.clock = &clock;
  deps.fs = &fs;
  deps.strand = meta_strand.get();
  deps.watch_strand = watch_strand.get();
  deps.transport = transport.get();
  deps.storage = storage.get();
  metrics::Histogram& sync = registry.AddHistogram("etcd_disk_wal_fsync_duration_seconds",
                                                   "How long a synced write of the log took.",
                                                   metrics::ExponentialBounds(0.001, 2, 14));
  deps.on_log_written = [&sync](Duration d) {
    sync.Observe(std::chrono::duration<double>(d).count());
  };
  deps.on_fatal = [this](const absl::Status& status) { OnFatal(status); };
  ASSIGN_OR_RETURN(store, meta::ReplicatedStore::Create(std::move(options), std::move(deps), seed));
  transport->SetReceiver(&store->replica());
  leadership_log = std::make_unique<LeadershipLog>(log);
  store->AddLeaderListener(leadership_log.get());

  tso::AllocatorOptions tso_options;
  tso_options.update_interval = config.tso_update_physical_interval;
  tso_options.oracle.window_ms = config.tso_save_interval / milliseconds(1);
  tso_options.oracle.max_reset_gap_ms = config.pd_server.max_gap_reset_ts / milliseconds(1);
  tso = std::make_unique<tso::Allocator>(tso_options, &clock, tso_strand.get(), store.get());
  node_metrics = std::make_unique<NodeMetrics>(&registry, store.get(), tso.get());
  return absl::OkStatus();
}

void Node::Impl::RegisterServices() {
  host.clock = &clock;
  host.fs = &fs;
  host.meta = store.get();
  host.tso = tso.get();
  host.executor = core_strand.get();
  host.pool = pool.get();
  host.data_dir = config.data_dir;
  host.config_text = command.config_text;
  host.process_config = config::ToJson(config, config::DurationStyle::kGo);
  host.reported_version = ReportedVersion();
  host.own_version = OwnVersion();
  host.start_time_seconds = clock.Wall().seconds();
  host.report = [this](std::string_view what, std::string_view why) {
    LOG_ERROR(log, what, {"reason", std::string(why)});
  };

  std::string warning;
  cluster = Cluster::Open(host, &warning);
  if (!warning.empty()) LOG_WARN(log, "going on without the region cache", {"reason", warning});

  rpc::ServerOptions options;
  options.tls = Tls();
  options.on_tls_reload = [this](const absl::Status& s) {
    if (s.ok()) {
      LOG_INFO(log, "replaced TLS files are in use");
    } else {
      LOG_ERROR(log, "replaced TLS files cannot be used, the old ones stay",
                {"error", std::string(Message(s))});
    }
  };
  options.thread_name = "pd-client-port";
  options.limits.max_message_bytes = config.max_request_bytes.bytes + kMessageOverhead;
  client_server = std::make_unique<rpc::Server>(options);
  client_server_metrics.emplace(client_server.get(), "pd_rpc_server",
                                metrics::Labels{{"port", "client"}}, &registry);
  etcd::EtcdOptions etcd_options;
  etcd_options.store = store.get();
  etcd_options.strand = meta_strand.get();
  etcd_options.watch_strand = watch_strand.get();
  etcd_options.pool = pool.get();
  etcd_options.seed = seed;
  etcd_services = etcd::RegisterEtcdServices(etcd_options, client_server.get(), &router);
  grpc_services = RegisterGrpcServices(cluster.get(), channels.get(), client_server.get());
  tso_service = RegisterTsoService(&host, channels.get(), &registry, client_server.get());
  RegisterHealth(client_server.get());
  HttpContext http_context;
  http_context.cluster = cluster.get();
  http_context.client = http_client.get();
  http_context.registry = &registry;
  http_context.set_log_level = [this](const std::string& level) {
    if (auto parsed = log::ParseLevel(level)) log.SetLevel(*parsed);
  };
  http_services = RegisterHttpRoutes(http_context, &router);
  http::ServerOptions http_options;
  http_options.thread_name = "pd-http";
  http_options.tls = {config.security.cacert_path, config.security.cert_path,
                      config.security.key_path, config.security.cert_allowed_cn};
  http_server = std::make_unique<http::Server>(http_options, &router);
  client_server->SetHttpHandler([this](rpc::HandedOver h) {
    http_server->Adopt(h.fd, std::move(h.bytes), std::move(h.peer), h.tls);
  });

  options.thread_name = "pd-peer-port";
  options.loops = 1;
  options.limits.max_message_bytes = size_t{512} << 20;
  peer_server = std::make_unique<rpc::Server>(options);
  peer_server_metrics.emplace(peer_server.get(), "pd_rpc_server", metrics::Labels{{"port", "peer"}},
                              &registry);
  transport->Register(peer_server.get());
  rpc::Unary<etcdserverpb::MemberListRequest, etcdserverpb::MemberListResponse>(
      *peer_server, meta::kPeerMembersPath,
      [this](const etcdserverpb::MemberListRequest&, const rpc::CallContext&,
             rpc::Responder<etcdserverpb::MemberListResponse> responder) {
        etcdserverpb::MemberListResponse response;
        for (const auto& [id, member] : store->replica().Members()) {
          *response.add_members() = member;
        }
        store->FillHeader(response.mutable_header());
        responder.Reply(response);
      });
}

absl::Status Node::Impl::Listen() {
  store->SetServes([this] { return tso->IsServing() && cluster->serving(); });
  for (const std::string& url : SplitCommas(config.peer_urls)) {
    RETURN_IF_ERROR(peer_server->Listen(HostPort(url)).status());
  }
  store->Start();
  tso->Start();
  for (const std::string& url : SplitCommas(config.client_urls)) {
    RETURN_IF_ERROR(client_server->Listen(HostPort(url)).status());
  }
  LOG_INFO(log, "pd-server serves", {"client_urls", config.client_urls},
           {"peer_urls", config.peer_urls});
  return absl::OkStatus();
}

// On a strand of ours, which cannot stop itself: what is durable is so already.
void Node::Impl::OnFatal(const absl::Status& status) {
  std::string reason(Message(status));
  if (reason.find("No space left on device") != reason.npos) {
    reason += "; make room and start it again, nothing that was acknowledged is lost";
  }
  LOG_FATAL(log, "pd-server ends", {"reason", reason});
  std::fprintf(stderr, "pd-server: %s\n", reason.c_str());
  std::fflush(stderr);
  _exit(1);
}

void Node::Impl::HandOver() {
  if (store == nullptr || !store->IsLeader()) return;
  struct Waiter {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  auto waiter = std::make_shared<Waiter>();
  store->Resign([waiter](absl::Status) {
    std::lock_guard guard(waiter->mutex);
    waiter->done = true;
    waiter->changed.notify_all();
  });
  std::unique_lock guard(waiter->mutex);
  waiter->changed.wait_for(guard, kResignTimeout, [&] { return waiter->done; });
}

void Node::Impl::Stop() {
  HandOver();
  if (client_server != nullptr) client_server->Drain(kDrainTimeout);
  if (http_server != nullptr) http_server->Stop();
  if (transport != nullptr) transport->Stop();
  if (peer_server != nullptr) peer_server->Stop();
  for (ThreadExecutor* strand : {core_strand.get(), tso_strand.get(), meta_strand.get(),
                                 watch_strand.get(), file_strand.get()}) {
    if (strand != nullptr) strand->Stop();
  }
  if (pool != nullptr) pool->Stop();
}

Node::Node(CommandLine command) : impl_(std::make_unique<Impl>(std::move(command))) {}

Node::~Node() { Stop(); }

absl::Status Node::Start() {
  RETURN_IF_ERROR(impl_->OpenLog());
  auto start = [this]() -> absl::Status {
    RETURN_IF_ERROR(impl_->LockDataDir());
    RETURN_IF_ERROR(impl_->OpenStorage());
    RETURN_IF_ERROR(impl_->CreateStore());
    impl_->RegisterServices();
    return impl_->Listen();
  };
  absl::Status status = start();
  if (!status.ok()) {
    LOG_ERROR(impl_->log, "pd-server cannot start", {"reason", std::string(Message(status))});
  }
  return status;
}

void Node::Stop() {
  if (impl_ == nullptr) return;
  LOG_INFO(impl_->log, "stopping");
  impl_->Stop();
  impl_ = nullptr;
}

}  // namespace tikv::pd
