#include "server/node/config.h"

#include "lib/base/status.h"

namespace tikv::server {
namespace {

constexpr config::FieldOptions kOnline{.online = true};
constexpr double kMilli = 1e6;  // Nanoseconds.

// "host:port" with a port.
absl::Status CheckAddress(std::string_view key, const std::string& address) {
  const size_t colon = address.rfind(':');
  bool good = colon != std::string::npos && colon > 0 && colon + 1 < address.size();
  for (size_t i = colon + 1; good && i < address.size(); ++i) {
    good = address[i] >= '0' && address[i] <= '9';
  }
  if (good) return absl::OkStatus();
  return InvalidArgument("{} = \"{}\": expected host:port", key, address);
}

// RocksDB takes this for granted.
absl::Status CheckTriggers(std::string_view family, const RocksCfConfig& config) {
  if (config.level0_file_num_compaction_trigger <= config.level0_slowdown_writes_trigger &&
      config.level0_slowdown_writes_trigger <= config.level0_stop_writes_trigger) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      "rocksdb.{}: level0-file-num-compaction-trigger must not exceed "
      "level0-slowdown-writes-trigger, nor that level0-stop-writes-trigger",
      family);
}

bool AnyHost(const std::string& address) {
  return address.rfind("0.0.0.0:", 0) == 0 || address.rfind("[::]:", 0) == 0;
}

}  // namespace

void LogConfig::File::Visit(config::Visitor& v) {
  v.Field("filename", filename);
  v.Field("max-size", max_size);
  v.Field("max-days", max_days, {.max = 36'500});
  v.Field("max-backups", max_backups, {.max = 1000});
}

void LogConfig::Visit(config::Visitor& v) {
  v.Field("level", level,
          {.online = true,
           .one_of = {"debug", "info", "warn", "error", "fatal", "trace", "warning", "critical"}});
  v.Field("format", format, {.one_of = {"text", "json"}});
  v.Field("enable-timestamp", enable_timestamp);
  v.Section("file", file);
}

void ServerConfig::Visit(config::Visitor& v) {
  v.Field("addr", addr);
  v.Field("advertise-addr", advertise_addr);
  v.Field("status-addr", status_addr);
  v.Field("advertise-status-addr", advertise_status_addr);
  v.Field("grpc-concurrency", grpc_concurrency, {.min = 1, .max = 64});
  v.Field("grpc-concurrent-stream", grpc_concurrent_stream, {.min = 1, .max = 1 << 20});
  v.Field("grpc-raft-conn-num", grpc_raft_conn_num, {.min = 1});
  v.Field("grpc-stream-initial-window-size", grpc_stream_initial_window_size,
          {.min = 65'535, .max = 2147483647.0});
  v.Field("grpc-keepalive-time", grpc_keepalive_time, {.min = kMilli});
  v.Field("grpc-keepalive-timeout", grpc_keepalive_timeout, {.min = kMilli});
  v.Field("concurrent-send-snap-limit", concurrent_send_snap_limit, {.online = true, .min = 1});
  v.Field("concurrent-recv-snap-limit", concurrent_recv_snap_limit, {.online = true, .min = 1});
  v.Field("snap-io-max-bytes-per-sec", snap_io_max_bytes_per_sec, kOnline);
  v.Field("graceful-shutdown-timeout", graceful_shutdown_timeout, kOnline);
  v.Field("labels", labels);
}

void StorageConfig::BlockCache::Visit(config::Visitor& v) {
  v.Field("capacity", capacity, kOnline);
}

void StorageConfig::Visit(config::Visitor& v) {
  v.Field("data-dir", data_dir);
  v.Field("api-version", api_version, {.min = 1, .max = 2});
  v.Field("enable-ttl", enable_ttl);
  v.Field("ttl-check-poll-interval", ttl_check_poll_interval,
          {.online = true, .min = 1000 * kMilli});
  v.Field("scheduler-concurrency", scheduler_concurrency, {.min = 1});
  v.Field("scheduler-worker-pool-size", scheduler_worker_pool_size, {.online = true, .min = 1});
  v.Field("scheduler-pending-write-threshold", scheduler_pending_write_threshold, kOnline);
  v.Field("reserve-space", reserve_space);
  v.Field("reserve-raft-space", reserve_raft_space);
  v.Section("block-cache", block_cache);
}

void PdConfig::Visit(config::Visitor& v) {
  v.Field("endpoints", endpoints);
  v.Field("retry-interval", retry_interval, {.min = kMilli});
  v.Field("update-interval", update_interval);
}

void RaftstoreSection::Visit(config::Visitor& v) {
  v.Field("prevote", prevote);
  v.Field("capacity", capacity);
  v.Field("raft-base-tick-interval", raft_base_tick_interval, {.min = kMilli});
  v.Field("raft-heartbeat-ticks", raft_heartbeat_ticks, {.min = 1});
  v.Field("raft-election-timeout-ticks", raft_election_timeout_ticks, {.min = 2, .max = 100'000});
  v.Field("raft-store-max-leader-lease", raft_store_max_leader_lease, kOnline);
  v.Field("raft-entry-max-size", raft_entry_max_size,
          {.online = true, .min = 1024, .max = 256.0 * (1 << 20)});
  v.Field("raft-log-gc-tick-interval", raft_log_gc_tick_interval, {.online = true, .min = kMilli});
  v.Field("raft-log-gc-threshold", raft_log_gc_threshold, {.online = true, .min = 1});
  v.Field("raft-log-gc-count-limit", raft_log_gc_count_limit, {.online = true, .min = 1});
  v.Field("raft-log-gc-size-limit", raft_log_gc_size_limit, {.online = true, .min = 1});
  v.Field("split-region-check-tick-interval", split_region_check_tick_interval,
          {.online = true, .min = kMilli});
  v.Field("pd-heartbeat-tick-interval", pd_heartbeat_tick_interval,
          {.online = true, .min = kMilli});
  v.Field("pd-store-heartbeat-tick-interval", pd_store_heartbeat_tick_interval,
          {.online = true, .min = kMilli});
  v.Field("max-peer-down-duration", max_peer_down_duration, kOnline);
  v.Field("peer-stale-state-check-interval", peer_stale_state_check_interval, kOnline);
  v.Field("notify-capacity", notify_capacity, {.min = 16});
  v.Field("store-pool-size", store_pool_size, kOnline);
  v.Field("apply-pool-size", apply_pool_size, kOnline);
}

void CoprocessorConfig::Visit(config::Visitor& v) {
  v.Field("split-region-on-table", split_region_on_table, kOnline);
  v.Field("batch-split-limit", batch_split_limit, {.online = true, .min = 1, .max = 1000});
  v.Field("region-max-size", region_max_size, {.online = true, .min = 1});
  v.Field("region-split-size", region_split_size, {.online = true, .min = 1});
  v.Field("region-max-keys", region_max_keys, {.online = true, .min = 1});
  v.Field("region-split-keys", region_split_keys, {.online = true, .min = 1});
}

void RocksCfConfig::Visit(config::Visitor& v) {
  v.Field("write-buffer-size", write_buffer_size, {.online = true, .min = 1 << 20});
  v.Field("max-write-buffer-number", max_write_buffer_number,
          {.online = true, .min = 2, .max = 100});
  v.Field("block-size", block_size, {.min = 512, .max = 16 << 20});
  v.Field("max-bytes-for-level-base", max_bytes_for_level_base, {.online = true, .min = 1 << 20});
  v.Field("target-file-size-base", target_file_size_base, {.online = true, .min = 64 << 10});
  v.Field("level0-file-num-compaction-trigger", level0_file_num_compaction_trigger,
          {.online = true, .min = 1});
  v.Field("level0-slowdown-writes-trigger", level0_slowdown_writes_trigger,
          {.online = true, .min = 1});
  v.Field("level0-stop-writes-trigger", level0_stop_writes_trigger, {.online = true, .min = 1});
  v.Field("disable-auto-compactions", disable_auto_compactions, kOnline);
}

void RocksConfig::Visit(config::Visitor& v) {
  v.Field("max-background-jobs", max_background_jobs, {.online = true, .min = 1, .max = 256});
  v.Field("max-open-files", max_open_files, {.online = true, .min = 64, .max = 1 << 20});
  v.Field("max-total-wal-size", max_total_wal_size, {.online = true, .min = 1 << 20});
  v.Field("rate-bytes-per-sec", rate_bytes_per_sec, kOnline);
  v.Section("defaultcf", defaultcf);
  v.Section("lockcf", lockcf);
  v.Section("writecf", writecf);
  v.Section("raftcf", raftcf);
}

void RaftEngineConfig::Visit(config::Visitor& v) {
  v.Field("enable", enable);
  v.Field("dir", dir);
  v.Field("target-file-size", target_file_size, {.min = 1 << 20, .max = 1 << 30});
}

void SecurityConfig::Visit(config::Visitor& v) {
  v.Field("ca-path", ca_path);
  v.Field("cert-path", cert_path);
  v.Field("key-path", key_path);
  v.Field("cert-allowed-cn", cert_allowed_cn);
  v.Field("redact-info-log", redact_info_log);
}

void ReadPoolConfig::Unified::Visit(config::Visitor& v) {
  v.Field("min-thread-count", min_thread_count, {.min = 1});
  v.Field("max-thread-count", max_thread_count, {.online = true, .min = 1, .max = 256});
  v.Field("max-tasks-per-worker", max_tasks_per_worker, {.online = true, .min = 2});
}

void ReadPoolConfig::Visit(config::Visitor& v) { v.Section("unified", unified); }

void GcConfig::Visit(config::Visitor& v) {
  v.Field("ratio-threshold", ratio_threshold, kOnline);
  v.Field("batch-keys", batch_keys, {.online = true, .min = 1});
  v.Field("max-write-bytes-per-sec", max_write_bytes_per_sec, kOnline);
  v.Field("enable-compaction-filter", enable_compaction_filter, kOnline);
}

void PessimisticTxnConfig::Visit(config::Visitor& v) {
  v.Field("wait-for-lock-timeout", wait_for_lock_timeout, {.online = true, .min = kMilli});
  v.Field("wake-up-delay-duration", wake_up_delay_duration, kOnline);
  v.Field("pipelined", pipelined, kOnline);
  v.Field("in-memory", in_memory, kOnline);
}

void ResolvedTsConfig::Visit(config::Visitor& v) {
  v.Field("enable", enable);
  v.Field("advance-ts-interval", advance_ts_interval, {.online = true, .min = kMilli});
}

void SplitConfig::Visit(config::Visitor& v) {
  v.Field("qps-threshold", qps_threshold, kOnline);
  v.Field("byte-threshold", byte_threshold, kOnline);
}

void QuotaConfig::Visit(config::Visitor& v) {
  v.Field("foreground-cpu-time", foreground_cpu_time, kOnline);
  v.Field("foreground-write-bandwidth", foreground_write_bandwidth, kOnline);
  v.Field("foreground-read-bandwidth", foreground_read_bandwidth, kOnline);
  v.Field("max-delay-duration", max_delay_duration, kOnline);
}

void ResourceControlConfig::Visit(config::Visitor& v) { v.Field("enabled", enabled); }

NodeConfig::NodeConfig() {
  rocksdb.lockcf.max_bytes_for_level_base = Size::MiB(128);
  rocksdb.raftcf.max_bytes_for_level_base = Size::MiB(128);
  rocksdb.raftcf.write_buffer_size = Size::MiB(8);
}

void NodeConfig::Visit(config::Visitor& v) {
  v.Field("memory-usage-limit", memory_usage_limit, kOnline);
  v.Section("log", log);
  v.Section("server", server);
  v.Section("storage", storage);
  v.Section("pd", pd);
  v.Section("raftstore", raftstore);
  v.Section("coprocessor", coprocessor);
  v.Section("rocksdb", rocksdb);
  v.Section("raft-engine", raft_engine);
  v.Section("security", security);
  v.Section("readpool", readpool);
  v.Section("gc", gc);
  v.Section("pessimistic-txn", pessimistic_txn);
  v.Section("resolved-ts", resolved_ts);
  v.Section("split", split);
  v.Section("quota", quota);
  v.Section("resource-control", resource_control);
}

absl::Status NodeConfig::Validate() const {
  RETURN_IF_ERROR(CheckAddress("server.addr", server.addr));
  if (!server.status_addr.empty()) {
    RETURN_IF_ERROR(CheckAddress("server.status-addr", server.status_addr));
  }
  if (AnyHost(server.addr) && server.advertise_addr.empty()) {
    return InvalidArgument(
        "server.addr = \"{}\" cannot be told to clients: set server.advertise-addr", server.addr);
  }
  if (AnyHost(server.advertise_addr)) {
    return InvalidArgument(
        "server.advertise-addr = \"{}\": expected an address that clients can "
        "reach",
        server.advertise_addr);
  }
  if (storage.data_dir.empty()) return InvalidArgument("storage.data-dir must not be empty");
  if (storage.api_version == 2 && !storage.enable_ttl) {
    return InvalidArgument("storage.api-version = 2 needs storage.enable-ttl = true");
  }
  if (pd.endpoints.empty()) return InvalidArgument("pd.endpoints must name a PD");
  if (raftstore.raft_heartbeat_ticks >= raftstore.raft_election_timeout_ticks) {
    return InvalidArgument(
        "raftstore.raft-election-timeout-ticks must be greater than raft-heartbeat-ticks");
  }
  const Duration election =
      raftstore.raft_base_tick_interval * (raftstore.raft_election_timeout_ticks - 1);
  if (raftstore.raft_store_max_leader_lease > election) {
    return InvalidArgument(
        "raftstore.raft-store-max-leader-lease must not exceed the election timeout less a tick, "
        "{}",
        config::FormatDuration(election));
  }
  if (coprocessor.region_split_size > coprocessor.region_max_size) {
    return InvalidArgument("coprocessor.region-split-size must not exceed region-max-size");
  }
  RETURN_IF_ERROR(CheckTriggers("defaultcf", rocksdb.defaultcf));
  RETURN_IF_ERROR(CheckTriggers("lockcf", rocksdb.lockcf));
  RETURN_IF_ERROR(CheckTriggers("writecf", rocksdb.writecf));
  RETURN_IF_ERROR(CheckTriggers("raftcf", rocksdb.raftcf));
  if (security.cert_path.empty() != security.key_path.empty()) {
    return InvalidArgument("security.cert-path and key-path must be given together");
  }
  return absl::OkStatus();
}

void NodeConfig::Complete() {
  if (server.advertise_addr.empty()) server.advertise_addr = server.addr;
  if (server.advertise_status_addr.empty()) server.advertise_status_addr = server.status_addr;
}

ApiVersion NodeConfig::api() const {
  if (storage.api_version == 2) return ApiVersion::kV2;
  return storage.enable_ttl ? ApiVersion::kV1Ttl : ApiVersion::kV1;
}

}  // namespace tikv::server
