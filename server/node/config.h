// The configuration of tikv-server: TiKV's section and key names.  Keys of features that this store
// lacks (transactions, quota...) are kept so that files and tools made for TiKV work; they change
// nothing.  Defaults are TiKV's except for Raft timing, which is ten times faster.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lib/config/visitor.h"
#include "server/storage/raw/raw_codec.h"

namespace tikv::server {

using config::Size;

// [log] and [log.file].
struct LogConfig {
  std::string level = "info";
  std::string format = "text";
  bool enable_timestamp = true;
  struct File {
    std::string filename;
    uint64_t max_size = 300;  // MiB
    uint64_t max_days = 0;
    uint64_t max_backups = 10;
    void Visit(config::Visitor& v);
  } file;
  void Visit(config::Visitor& v);
};

// [server].
struct ServerConfig {
  std::string addr = "127.0.0.1:20160";
  std::string advertise_addr;
  std::string status_addr = "127.0.0.1:20180";
  std::string advertise_status_addr;
  uint64_t grpc_concurrency = 2;  // Event loops.
  uint64_t grpc_concurrent_stream = 1024;
  uint64_t grpc_raft_conn_num = 1;
  Size grpc_stream_initial_window_size = Size::MiB(2);
  Duration grpc_keepalive_time = std::chrono::seconds(10);
  Duration grpc_keepalive_timeout = std::chrono::seconds(3);
  uint64_t concurrent_send_snap_limit = 32;
  uint64_t concurrent_recv_snap_limit = 32;
  Size snap_io_max_bytes_per_sec = Size::MiB(100);
  Duration graceful_shutdown_timeout = std::chrono::seconds(8);
  std::map<std::string, std::string> labels;
  void Visit(config::Visitor& v);
};

// [storage] and [storage.block-cache].
struct StorageConfig {
  std::string data_dir = "./";
  uint32_t api_version = 1;
  bool enable_ttl = false;
  Duration ttl_check_poll_interval = std::chrono::hours(12);
  uint64_t scheduler_concurrency = 2048;
  uint64_t scheduler_worker_pool_size = 2;
  Size scheduler_pending_write_threshold = Size::MiB(100);
  Size reserve_space = Size::GiB(5);       // 0: the disk is not watched.
  Size reserve_raft_space = Size::GiB(1);  // Where the raft log has a disk of its own.
  struct BlockCache {
    Size capacity;  // 0: a fifth of the memory.
    void Visit(config::Visitor& v);
  } block_cache;
  void Visit(config::Visitor& v);
};

// [pd].
struct PdConfig {
  std::vector<std::string> endpoints = {"127.0.0.1:2379"};
  Duration retry_interval = std::chrono::milliseconds(300);
  Duration update_interval = std::chrono::minutes(10);
  void Visit(config::Visitor& v);
};

// [raftstore].
struct RaftstoreSection {
  bool prevote = true;
  Size capacity;  // 0: the disk's.
  Duration raft_base_tick_interval = std::chrono::milliseconds(100);
  uint32_t raft_heartbeat_ticks = 2;
  uint32_t raft_election_timeout_ticks = 10;
  Duration raft_store_max_leader_lease = std::chrono::milliseconds(895);
  Size raft_entry_max_size = Size::MiB(8);
  Duration raft_log_gc_tick_interval = std::chrono::seconds(3);
  uint64_t raft_log_gc_threshold = 50;
  uint64_t raft_log_gc_count_limit = 196'608;
  Size raft_log_gc_size_limit = Size::MiB(192);
  Duration split_region_check_tick_interval = std::chrono::seconds(10);
  Duration pd_heartbeat_tick_interval = std::chrono::minutes(1);
  Duration pd_store_heartbeat_tick_interval = std::chrono::seconds(10);
  Duration max_peer_down_duration = std::chrono::minutes(10);
  Duration peer_stale_state_check_interval = std::chrono::minutes(1);
  uint64_t notify_capacity = 40'960;
  uint64_t store_pool_size = 1;
  uint64_t apply_pool_size = 1;
  void Visit(config::Visitor& v);
};

// [coprocessor]: what TiKV keeps there, the size of regions.
struct CoprocessorConfig {
  bool split_region_on_table = false;
  uint64_t batch_split_limit = 10;
  Size region_max_size = Size::MiB(384);
  Size region_split_size = Size::MiB(256);
  uint64_t region_max_keys = 3'840'000;
  uint64_t region_split_keys = 2'560'000;
  void Visit(config::Visitor& v);
};

// [rocksdb.defaultcf] and its siblings.
struct RocksCfConfig {
  Size write_buffer_size = Size::MiB(32);
  uint32_t max_write_buffer_number = 5;
  Size block_size = Size::KiB(16);
  Size max_bytes_for_level_base = Size::MiB(512);
  Size target_file_size_base = Size::MiB(8);
  uint32_t level0_file_num_compaction_trigger = 4;
  uint32_t level0_slowdown_writes_trigger = 20;
  uint32_t level0_stop_writes_trigger = 36;
  bool disable_auto_compactions = false;
  void Visit(config::Visitor& v);
};

// [rocksdb].
struct RocksConfig {
  uint32_t max_background_jobs = 2;
  uint32_t max_open_files = 4096;
  Size max_total_wal_size = Size::GiB(1);
  Size rate_bytes_per_sec;
  RocksCfConfig defaultcf, lockcf, writecf, raftcf;
  void Visit(config::Visitor& v);
};

// [raft-engine].
struct RaftEngineConfig {
  bool enable = true;
  std::string dir;  // "": below the data folder.
  Size target_file_size = Size::MiB(16);
  void Visit(config::Visitor& v);
};

// [security].
struct SecurityConfig {
  std::string ca_path, cert_path, key_path;
  std::vector<std::string> cert_allowed_cn;
  bool redact_info_log = false;
  void Visit(config::Visitor& v);
};

// [readpool.unified].
struct ReadPoolConfig {
  struct Unified {
    uint64_t min_thread_count = 1;
    uint64_t max_thread_count = 2;
    uint64_t max_tasks_per_worker = 2000;
    void Visit(config::Visitor& v);
  } unified;
  void Visit(config::Visitor& v);
};

// Sections of features to come.
struct GcConfig {
  double ratio_threshold = 1.1;
  uint64_t batch_keys = 512;
  Size max_write_bytes_per_sec;
  bool enable_compaction_filter = true;
  void Visit(config::Visitor& v);
};

// [pessimistic-txn].
struct PessimisticTxnConfig {
  Duration wait_for_lock_timeout = std::chrono::seconds(1);
  Duration wake_up_delay_duration = std::chrono::milliseconds(20);
  bool pipelined = true;
  bool in_memory = true;
  void Visit(config::Visitor& v);
};

// [resolved-ts].
struct ResolvedTsConfig {
  bool enable = true;
  Duration advance_ts_interval = std::chrono::seconds(20);
  void Visit(config::Visitor& v);
};

// [split]: splitting by load.
struct SplitConfig {
  uint64_t qps_threshold = 3000;
  Size byte_threshold = Size::MiB(30);
  void Visit(config::Visitor& v);
};

// [quota].
struct QuotaConfig {
  uint64_t foreground_cpu_time = 0;
  Size foreground_write_bandwidth, foreground_read_bandwidth;
  Duration max_delay_duration = std::chrono::milliseconds(500);
  void Visit(config::Visitor& v);
};

// [resource-control].
struct ResourceControlConfig {
  bool enabled = true;
  void Visit(config::Visitor& v);
};

// All of it.
struct NodeConfig {
  Size memory_usage_limit;
  LogConfig log;
  ServerConfig server;
  StorageConfig storage;
  PdConfig pd;
  RaftstoreSection raftstore;
  CoprocessorConfig coprocessor;
  RocksConfig rocksdb;
  RaftEngineConfig raft_engine;
  SecurityConfig security;
  ReadPoolConfig readpool;
  GcConfig gc;
  PessimisticTxnConfig pessimistic_txn;
  ResolvedTsConfig resolved_ts;
  SplitConfig split;
  QuotaConfig quota;
  ResourceControlConfig resource_control;

  NodeConfig();  // Gives the lock and raft families their own sizes.
  void Visit(config::Visitor& v);
  // What concerns several fields, in one sentence.
  absl::Status Validate() const;
  // Fills what is left open: advertised addresses.
  void Complete();

  ApiVersion api() const;
};

}  // namespace tikv::server
