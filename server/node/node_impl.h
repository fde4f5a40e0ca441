// Inside Node: the parts of a running store, in the order in which they depend on each other.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/engine/rocks/rocks_engine.h"
#include "lib/env/posix/clock.h"
#include "lib/env/posix/file_system.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/http/server.h"
#include "lib/log/logger.h"
#include "lib/metrics/metrics.h"
#include "lib/pdchannel/pd_channel.h"
#include "lib/raftlog/raft_log.h"
#include "lib/rpc/server.h"
#include "server/node/blocking.h"
#include "server/node/config_metrics.h"
#include "server/node/cpu_profiler.h"
#include "server/node/disk_watch.h"
#include "server/node/engine_metrics.h"
#include "server/node/engine_options.h"
#include "server/node/heap_profile.h"
#include "server/node/identity.h"
#include "server/node/live_config.h"
#include "server/node/node.h"
#include "server/node/region_metrics.h"
#include "server/node/rpc_metrics.h"
#include "server/node/service_metrics.h"
#include "server/node/start_memory.h"
#include "server/node/store_reporter.h"
#include "server/node/transport_load.h"
#include "server/pdclient/pd_client_grpc.h"
#include "server/raftstore/store/raft_store.h"
#include "server/service/debug_service.h"
#include "server/service/diagnostics_service.h"
#include "server/service/health_service.h"
#include "server/service/status_service.h"
#include "server/service/tikv_service.h"
#include "server/storage/raw/ttl_filter.h"

namespace tikv::server {

// See Node.  Destroyed bottom up; threads are stopped by Stop before that.
class Node::Impl {
 public:
  Impl(CommandLine command, int argc, char** argv);

  absl::Status Start(std::function<bool()> interrupted);
  void Stop();

 private:
  static constexpr const char* kServerThreads = "grpc-server";

  // The steps of Start.
  absl::Status StartLog();
  absl::Status OpenFolder();
  absl::Status ConnectPd(const std::function<bool()>& interrupted);
  absl::Status Identify();
  absl::Status StartRegions();
  absl::Status Serve();

  void StartMetrics();
  void InstallTtlFilter();
  void RegisterGrpc();
  void RegisterStatus();
  std::vector<std::string> LogFiles() const;
  void SampleTransportLoad();
  void WatchDisk(Duration pause);
  void MeasureDisk();
  DiskUsage RaftDiskUsage() const;
  [[noreturn]] void EndOnFullDisk(const absl::Status& status);
  void AddLoad(pdpb::StoreStats* stats);
  bool RefuseStranger(http::Request& request, std::unique_ptr<http::Responder>& responder) const;
  void FollowConfig();
  void ResizeReadPool(const NodeConfig& config);
  void DropExpired();
  void ProfileCpu(int duration, int hertz, Callback<absl::StatusOr<std::string>> done);
  rpc::TlsFiles Tls() const;
  absl::Status ExplainOpen(const absl::Status& status, std::string_view what) const;
  absl::Status ExplainListen(const absl::Status& status, const std::string& address,
                             std::string_view flag) const;

  // ---- what was asked for ----
  const CommandLine command_;
  const NodeConfig config_;  // As of the start.
  std::string command_line_;

  // ---- the machine ----
  PosixFileSystem files_;
  LiveConfig live_config_;
  PosixClock clock_;
  log::Logger log_;
  metrics::Registry metrics_;
  ServiceMetrics service_metrics_;
  CpuProfiler profiler_;
  std::atomic<bool> stopping_{false};
  bool serving_ = false;                       // The start has come to its end.
  DiskUsage disk_usage_ = DiskUsage::kNormal;  // On background_, one measurement at a time.
  std::array<uint64_t, 16> reported_{};        // See AddLoad; on the PD strand.
  std::unique_ptr<FileLock> folder_lock_;
  std::shared_ptr<TtlFilterFactory> ttl_filter_;
  TimerId drop_expired_timer_ = TimerId::kNone;  // On completions_.

  // ---- threads ----
  ThreadExecutor pd_strand_{{.name = "pd-worker"}, &clock_};
  ThreadExecutor raft_strand_{{.name = "raftstore_0"}, &clock_};
  ThreadExecutor snapshot_strand_{{.name = "snapshot_worker"}, &clock_};
  ThreadExecutor completions_{{.name = "grpc-batch"}, &clock_};
  ThreadPool read_pool_{{.name = "unified-read-po"}};
  ThreadPool background_{{.name = "background", .threads = 2}};

  // ---- data, PD, regions ----
  std::unique_ptr<engine::RocksKvEngine> engine_;
  std::optional<EngineMetrics> engine_metrics_;
  std::unique_ptr<raftlog::RaftLog> raft_log_;
  rpc::ChannelPool channels_;
  std::optional<pdchannel::PdChannel> pd_channel_;
  std::optional<PdClientGrpc> pd_;
  StoreIdentity identity_;
  metapb::Store store_;
  std::unique_ptr<RaftStore> regions_;
  std::optional<RegionMetrics> region_metrics_;
  std::optional<StoreReporter> reporter_;

  // ---- services ----
  std::optional<HealthFeedbackSource> health_feedback_;
  std::optional<RequestGate> gate_;
  std::optional<RawStorage> raw_storage_;
  std::optional<RawCommands> raw_commands_;
  std::optional<TikvService> tikv_service_;
  HealthService health_;
  std::optional<DebugService> debug_;
  std::optional<DiagnosticsService> diagnostics_;
  std::optional<StatusService> status_service_;
  http::Router router_;
  std::optional<TransportLoad> transport_load_;
  std::unique_ptr<rpc::Server> server_;
  std::optional<RpcMetrics> rpc_metrics_;
  std::optional<ConfigMetrics> config_metrics_;
  uint64_t worker_metrics_ = 0;
  std::unique_ptr<http::Server> status_server_;
};

}  // namespace tikv::server
