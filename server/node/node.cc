#include "server/node/node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/log/file_output.h"
#include "lib/metrics/process.h"
#include "server/node/node_impl.h"

namespace tikv::server {

using std::chrono::milliseconds;
using std::chrono::seconds;

Node::Node(CommandLine command, int argc, char** argv)
    : impl_(std::make_unique<Impl>(std::move(command), argc, argv)) {}

Node::~Node() { Stop(); }

absl::Status Node::Start(std::function<bool()> interrupted) {
  return impl_->Start(std::move(interrupted));
}

void Node::Stop() { impl_->Stop(); }

Node::Impl::Impl(CommandLine command, int argc, char** argv)
    : command_(std::move(command)),
      config_(command_.config),
      live_config_(config_, command_.config_path, &files_),
      clock_(),
      service_metrics_(&metrics_),
      channels_({.tls = Tls()}) {
  for (int i = 0; i < argc; ++i) command_line_.append(argv[i]).push_back('\0');
}

absl::Status Node::Impl::Start(std::function<bool()> interrupted) {
  RETURN_IF_ERROR(StartLog());
  StartMetrics();
  RETURN_IF_ERROR(OpenFolder());
  RETURN_IF_ERROR(ConnectPd(interrupted));
  RETURN_IF_ERROR(Identify());
  RETURN_IF_ERROR(StartRegions());
  RETURN_IF_ERROR(Serve());
  serving_ = true;
  reporter_->Start();
  health_.SetServing(true);
  completions_.PostAfter(seconds(3), [this] { DropStartMemory(&files_); });
  LOG_INFO(log_, "TiKV is ready to serve", {"store", identity_.store},
           {"cluster", identity_.cluster}, {"addr", config_.server.addr});
  return absl::OkStatus();
}

void Node::Impl::StartMetrics() {
  StartHeapSampling();
  metrics::AddProcessMetrics(&metrics_);
  metrics::AddThreadMetrics(&metrics_);
  metrics_.AddGaugeFamily("tikv_server_info", "This program.", {"version", "hash"})
      .With({ReportedVersion(), "none"})
      .Set(1);
  metrics_.AddGaugeFamily("tikv_raftstore_slow_score", "1 (well) to 100.", {"type"})
      .With({"raftstore"})
      .Set(1);
  metrics_.AddGauge("tikv_server_cpu_cores_quota", "Cores.")
      .Set(static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)));
  worker_metrics_ = metrics_.AddCollector([this](metrics::Samples* samples) {
    constexpr const char* kPending = "tikv_worker_pending_task_total";
    samples->AddGauge(kPending, "Tasks that wait for a thread.", {{"name", "background-worker"}},
                      static_cast<double>(background_.queued()));
    samples->AddGauge(kPending, "Tasks that wait for a thread.", {{"name", "unified-read-pool"}},
                      static_cast<double>(read_pool_.queued()));
    if (ttl_filter_ != nullptr) {
      samples->AddCounter("tikv_ttl_expire_kv_count_total", "Expired values dropped.", {},
                          static_cast<double>(ttl_filter_->dropped()));
    }
    samples->AddGauge("tikv_unified_read_pool_running_tasks", "Reads that wait for a thread.",
                      {{"name", "unified-read-po"}, {"priority", "low"}},
                      static_cast<double>(read_pool_.queued()));
    samples->AddGauge("tikv_unified_read_pool_thread_count", "Threads at most.",
                      {{"name", "unified-read-po"}},
                      static_cast<double>(live_config_.Get()->readpool.unified.max_thread_count));
  });
  // The scheduler of transactions has nothing to do here; dashboards and an alert look at these.
  metrics_.AddGauge("tikv_scheduler_contex_total", "Commands under way in the scheduler.");
  metrics_.AddGauge("tikv_scheduler_writing_bytes", "Bytes being written by the scheduler.");
}

absl::Status Node::Impl::StartLog() {
  std::shared_ptr<log::Output> output;
  if (config_.log.file.filename.empty()) {
    output = log::StderrOutput();
  } else {
    auto file = log::FileOutput({.path = config_.log.file.filename,
                                 .max_size_bytes = config_.log.file.max_size << 20,
                                 .max_backups = static_cast<int>(config_.log.file.max_backups),
                                 .max_days = static_cast<int>(config_.log.file.max_days)});
    if (!file.ok()) {
      return Annotate(file.status(), "the log file cannot be written, see --log-file");
    }
    output = *std::move(file);
  }
  log_ = log::Logger(std::move(output), &clock_,
                     log::ParseLevel(config_.log.level).value_or(log::Level::kInfo));
  log_.InstallFatalHook();
  live_config_.Observe([log = log_](const NodeConfig& config) mutable {
    if (const auto level = log::ParseLevel(config.log.level)) log.SetLevel(*level);
    return absl::OkStatus();
  });
  LOG_INFO(log_, "Welcome to TiKV", {"version", ReportedVersion()});
  for (const std::string& warning : command_.warnings) LOG_WARN(log_, warning);
  return absl::OkStatus();
}

absl::Status Node::Impl::OpenFolder() {
  const std::string& dir = config_.storage.data_dir;
  if (absl::Status s = files_.CreateDirs(dir); !s.ok()) {
    return Annotate(s, "the data folder cannot be made, see --data-dir");
  }
  if (files_.Exists(JoinPath(dir, "region-meta"))) {
    return FailedPrecondition("data folder {} belongs to a PD member; give another --data-dir",
                              dir);
  }
  auto lock = files_.Lock(JoinPath(dir, "LOCK"));
  if (absl::IsUnavailable(lock.status())) {
    return FailedPrecondition(
        "data folder {} is in use by another tikv-server: stop that one, or give another "
        "--data-dir",
        dir);
  }
  if (!lock.ok()) return Annotate(lock.status(), "the data folder cannot be used");
  folder_lock_ = *std::move(lock);
  if (absl::Status s = live_config_.WriteLast(); !s.ok()) {
    return ExplainOpen(s, "the configuration cannot be kept in the data folder");
  }

  auto engine = engine::OpenRocksEngine(RocksOptionsOf(config_, &files_));
  if (!engine.ok()) return ExplainOpen(engine.status(), "the data cannot be opened");
  engine_ = *std::move(engine);
  if (config_.api() != ApiVersion::kV1) InstallTtlFilter();

  auto raft_log =
      raftlog::RaftLog::Open(&files_, RaftLogOptionsOf(config_), Random(EntropySeed(), "raftlog"));
  if (!raft_log.ok()) return ExplainOpen(raft_log.status(), "the raft log cannot be opened");
  raft_log_ = *std::move(raft_log);
  engine_metrics_.emplace(engine_.get(), raft_log_.get(), &metrics_);
  return absl::OkStatus();
}

absl::Status Node::Impl::ExplainOpen(const absl::Status& status, std::string_view what) const {
  if (absl::IsResourceExhausted(status)) {
    return ResourceExhausted("the disk of data folder {} is full: free some space and start again",
                             config_.storage.data_dir);
  }
  return Annotate(status, what);
}

void Node::Impl::InstallTtlFilter() {
  ttl_filter_ = std::make_shared<TtlFilterFactory>(config_.api(), &clock_);
  engine_->SetCompactionFilter(engine::Cf::kDefault, ttl_filter_);
  if (config_.api() == ApiVersion::kV2) return;  // Has one family.
  engine_->SetCompactionFilter(engine::Cf::kLock, ttl_filter_);
  engine_->SetCompactionFilter(engine::Cf::kWrite, ttl_filter_);
}

absl::Status Node::Impl::ConnectPd(const std::function<bool()>& interrupted) {
  pdchannel::PdChannelOptions options;
  options.endpoints = config_.pd.endpoints;
  options.max_backoff = config_.pd.retry_interval;
  pd_channel_.emplace(std::move(options), &channels_, &pd_strand_, &clock_);
  auto& durations =
      metrics_.AddHistogramFamily("tikv_pd_request_duration_seconds", "Time of calls to PD.",
                                  {"type"}, metrics::ExponentialBounds(0.0005, 2, 20));
  pd_.emplace(&*pd_channel_, &clock_, [&durations](std::string_view type, Duration took) {
    durations.With({type}).Observe(std::chrono::duration<double>(took).count());
  });
  for (;;) {
    const absl::Status status = Await<absl::Status>(
        [&](auto done) { pd_channel_->WaitForLeader(seconds(2), std::move(done)); });
    if (status.ok()) return absl::OkStatus();
    LOG_WARN(log_, "PD cannot be reached, trying again",
             {"endpoints", fmt::format("{}", fmt::join(config_.pd.endpoints, ","))},
             {"error", status});
    if (interrupted()) return Cancelled("stopped while waiting for PD");
  }
}

absl::Status Node::Impl::Identify() {
  ASSIGN_OR_RETURN(identity_, LoadOrCreateIdentity(engine_.get(), &*pd_, config_.api(),
                                                   config_.storage.data_dir));
  store_.set_id(identity_.store.value);
  store_.set_address(config_.server.advertise_addr);
  store_.set_status_address(config_.server.advertise_status_addr);
  store_.set_version(std::string(ReportedVersion()));
  store_.set_start_timestamp(clock_.Wall().seconds());
  store_.set_deploy_path(config_.storage.data_dir);
  for (const auto& [key, value] : config_.server.labels) {
    metapb::StoreLabel* label = store_.add_labels();
    label->set_key(key);
    label->set_value(value);
  }
  return Annotate(BootstrapCluster(engine_.get(), &*pd_, store_), "the cluster cannot be begun");
}

absl::Status Node::Impl::StartRegions() {
  RaftStoreOptions options;
  options.config = RaftStoreConfigOf(config_);
  options.store = identity_.store;
  options.engine = engine_.get();
  options.log = raft_log_.get();
  options.fs = &files_;
  options.clock = &clock_;
  options.pd = &*pd_;
  options.channels = &channels_;
  options.raft_thread = &raft_strand_;
  options.snapshot_thread = &snapshot_strand_;
  options.background = &background_;
  options.seed = EntropySeed();
  options.metrics = &metrics_;
  options.logger = log_;
  // Nothing that this process says can be trusted from here on: no destructor may run.
  options.on_fatal = [this](const absl::Status& status) {
    if (absl::IsResourceExhausted(status)) EndOnFullDisk(status);
    LOG_FATAL(log_, "the store cannot go on", {"error", status});
    CHECK(false) << "the store cannot go on: " << Message(status);
  };
  regions_ = std::make_unique<RaftStore>(std::move(options));
  region_metrics_.emplace(&regions_->stats(), &metrics_);
  reporter_.emplace(ReporterDependencies{&*pd_, regions_.get(), engine_.get(), raft_log_.get(),
                                         &files_, &clock_, &pd_strand_, log_, &metrics_,
                                         [this](pdpb::StoreStats* stats) { AddLoad(stats); }},
                    store_, config_.storage.data_dir, config_.raftstore.capacity.bytes,
                    config_.raftstore.pd_store_heartbeat_tick_interval);
  return regions_->Start();
}

absl::Status Node::Impl::Serve() {
  health_feedback_.emplace(identity_.store, &clock_);
  gate_.emplace(identity_.cluster, identity_.api, &clock_);
  raw_storage_.emplace(identity_.api, regions_.get(), &read_pool_, &clock_);
  raw_storage_->ObserveLatches([this](Duration wait) { service_metrics_.OnLatched(wait); });
  raw_commands_.emplace(&*gate_, &*raw_storage_);
  RegisterGrpc();
  RegisterStatus();
  if (const auto port = server_->Listen(config_.server.addr); !port.ok()) {
    return ExplainListen(port.status(), config_.server.addr, "--addr");
  }
  if (!config_.server.status_addr.empty()) {
    if (const auto port = status_server_->Listen(config_.server.status_addr); !port.ok()) {
      return ExplainListen(port.status(), config_.server.status_addr, "--status-addr");
    }
  }
  transport_load_.emplace(&files_, &clock_, kServerThreads);
  SampleTransportLoad();
  if (config_.storage.reserve_space.bytes > 0) WatchDisk(seconds(1));
  FollowConfig();
  return absl::OkStatus();
}

// From here on changes reach every part.
void Node::Impl::FollowConfig() {
  live_config_.Observe([this](const NodeConfig& config) {
    RETURN_IF_ERROR(engine_->Reconfigure(RocksOptionsOf(config, &files_)));
    regions_->Reconfigure(RaftStoreConfigOf(config));
    reporter_->SetInterval(config.raftstore.pd_store_heartbeat_tick_interval);
    ResizeReadPool(config);
    if (ttl_filter_ != nullptr) completions_.Post([this] { DropExpired(); });
    return absl::OkStatus();
  });
  ResizeReadPool(config_);
  if (ttl_filter_ != nullptr) completions_.Post([this] { DropExpired(); });
}

void Node::Impl::ResizeReadPool(const NodeConfig& config) {
  const ReadPoolConfig::Unified& pool = config.readpool.unified;
  read_pool_.Resize(pool.max_thread_count, pool.max_thread_count * pool.max_tasks_per_worker);
}

absl::Status Node::Impl::ExplainListen(const absl::Status& status, const std::string& address,
                                       std::string_view flag) const {
  if (!absl::IsAlreadyExists(status)) return status;
  return AlreadyExists("address {} is taken by another program: stop that one, or give another {}",
                       address, flag);
}

void Node::Impl::RegisterGrpc() {
  rpc::ServerOptions options;
  options.loops = static_cast<int>(config_.server.grpc_concurrency);
  options.thread_name = kServerThreads;
  options.tls = Tls();
  options.on_tls_reload = [this](const absl::Status& s) {
    if (s.ok()) {
      LOG_INFO(log_, "replaced TLS files are in use");
    } else {
      LOG_ERROR(log_, "replaced TLS files cannot be used, the old ones stay", {"error", s});
    }
  };
  options.limits.max_concurrent_streams =
      static_cast<uint32_t>(config_.server.grpc_concurrent_stream);
  options.limits.stream_window_bytes =
      static_cast<uint32_t>(config_.server.grpc_stream_initial_window_size.bytes);
  options.keepalive_interval =
      std::chrono::duration_cast<milliseconds>(config_.server.grpc_keepalive_time);
  options.keepalive_timeout =
      std::chrono::duration_cast<milliseconds>(config_.server.grpc_keepalive_timeout);
  server_ = std::make_unique<rpc::Server>(options);
  rpc_metrics_.emplace(server_.get(), &metrics_);
  config_metrics_.emplace(&live_config_, &metrics_);

  const BatchDependencies deps{&*gate_,           &*raw_commands_, &*health_feedback_,
                               &service_metrics_, &clock_,         &completions_};
  tikv_service_.emplace(deps, regions_.get(), regions_.get());
  tikv_service_->Register(server_.get());
  health_.Register(server_.get());
  debug_.emplace(DebugDependencies{engine_.get(), regions_.get(), &background_, identity_.store,
                                   identity_.cluster, identity_.api,
                                   [this] { return metrics_.Text(); }});
  debug_->Register(server_.get());
  diagnostics_.emplace(&files_, &background_, LogFiles(), config_.storage.data_dir);
  diagnostics_->Register(server_.get());
  regions_->RegisterServices(server_.get());
}

// What log search looks through, oldest first.
std::vector<std::string> Node::Impl::LogFiles() const {
  constexpr int kMost = 100;
  const LogConfig::File& file = config_.log.file;
  std::vector<std::string> names;
  if (file.filename.empty()) return names;
  const int backups = file.max_backups == 0 ? kMost : static_cast<int>(file.max_backups);
  for (int i = std::min(backups, kMost); i >= 0; --i) {
    names.push_back(log::RotatedName(file.filename, i));
  }
  return names;
}

void Node::Impl::RegisterStatus() {
  StatusDependencies deps;
  deps.config = &live_config_;
  deps.metrics = &metrics_;
  deps.admin = regions_.get();
  deps.background = &background_;
  deps.log = log_;
  deps.connected_to_pd = [this] { return reporter_->connected(); };
  deps.serving = [this] { return !stopping_; };
  deps.cpu_profile = [this](int duration, int hertz, auto done) {
    ProfileCpu(duration, hertz, std::move(done));
  };
  deps.heap_profile = [] { return HeapProfile(); };
  deps.command_line = command_line_;
  status_service_.emplace(std::move(deps));
  status_service_->Register(&router_);
  if (!config_.security.cert_allowed_cn.empty()) {
    router_.Intercept([this](http::Request& request, std::unique_ptr<http::Responder>& responder) {
      return RefuseStranger(request, responder);
    });
  }
  http::ServerOptions options;
  options.thread_name = "status-server";
  options.max_body_bytes = 1 << 20;
  options.tls.ca_path = config_.security.ca_path;
  options.tls.cert_path = config_.security.cert_path;
  options.tls.key_path = config_.security.key_path;
  status_server_ = std::make_unique<http::Server>(options, &router_);
}

// Whose name is not on the list may only look at what monitoring needs.
bool Node::Impl::RefuseStranger(http::Request& request,
                                std::unique_ptr<http::Responder>& responder) const {
  const auto& allowed = config_.security.cert_allowed_cn;
  if (std::find(allowed.begin(), allowed.end(), request.common_name) != allowed.end()) return false;
  if (request.method == "GET") {
    for (const char* open : {"/metrics", "/status", "/config", "/debug/pprof/profile"}) {
      if (request.target.substr(0, request.target.find('?')) == open) return false;
    }
  }
  responder->Send(http::Response::Text(403, "certificate role error\n"));
  return true;
}

rpc::TlsFiles Node::Impl::Tls() const {
  return {config_.security.ca_path, config_.security.cert_path, config_.security.key_path,
          config_.security.cert_allowed_cn};
}

// Compactions drop what expired; data that nothing rewrites by itself is rewritten this often.
void Node::Impl::DropExpired() {
  completions_.Cancel(drop_expired_timer_);
  const Duration interval = live_config_.Get()->storage.ttl_check_poll_interval;
  drop_expired_timer_ = completions_.PostAfter(interval, [this] {
    background_.Post([this] {
      const absl::Status s = engine_->CompactRange(engine::Cf::kDefault, "", "");
      if (!s.ok()) LOG_WARN(log_, "expired values could not be dropped", {"error", s});
    });
    DropExpired();
  });
}

void Node::Impl::ProfileCpu(int duration, int hertz, Callback<absl::StatusOr<std::string>> done) {
  completions_.Post([this, duration, hertz, done = std::move(done)]() mutable {
    if (absl::Status s = profiler_.Start(hertz); !s.ok()) return std::move(done)(std::move(s));
    completions_.PostAfter(seconds(duration), [this, done = std::move(done)]() mutable {
      std::move(done)(profiler_.Finish());
    });
  });
}

void Node::Impl::SampleTransportLoad() {
  completions_.PostAfter(seconds(1), [this] {
    health_feedback_->set_transport_load(transport_load_->Sample());
    SampleTransportLoad();
  });
}

void Node::Impl::Stop() {
  if (stopping_.exchange(true)) return;
  LOG_INFO(log_, "stopping");
  health_.SetServing(false);
  if (serving_) reporter_->Leave();
  if (regions_ != nullptr) {
    Await<bool>([this](auto done) { regions_->HandLeadersOver([done]() mutable { done(true); }); });
  }
  if (server_ != nullptr) server_->Drain(milliseconds(1'500));
  if (reporter_.has_value()) reporter_->Stop();
  if (server_ != nullptr) server_->Stop();
  if (status_server_ != nullptr) status_server_->Stop();
  completions_.Stop();
  read_pool_.Stop();
  background_.Stop();
  snapshot_strand_.Stop();
  raft_strand_.Stop();
  pd_strand_.Stop();
  if (worker_metrics_ != 0) metrics_.RemoveCollector(worker_metrics_);
  rpc_metrics_.reset();
  config_metrics_.reset();
  region_metrics_.reset();
  engine_metrics_.reset();
  regions_.reset();
  if (raft_log_ != nullptr && !raft_log_->Close().ok()) {
    LOG_WARN(log_, "the raft log did not close cleanly");
  }
  if (engine_ != nullptr && !engine_->Close().ok()) {
    LOG_WARN(log_, "the engine did not close cleanly");
  }
  LOG_INFO(log_, "stopped");
}

}  // namespace tikv::server
