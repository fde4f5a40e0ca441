#include "server/node/engine_options.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace tikv::server {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// What this process may use: the machine's memory, or less in a container.
uint64_t MemoryBytes(FileSystem* files) {
  uint64_t bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const auto file = files->Open("/sys/fs/cgroup/memory.max", OpenOptions::Read());
  if (!file.ok()) return bytes;
  char text[32];
  const absl::StatusOr<size_t> n = (*file)->ReadAt(0, text, sizeof(text));
  uint64_t limit = 0;
  if (n.ok() && std::from_chars(text, text + *n, limit).ec == std::errc() && limit > 0) {
    bytes = std::min(bytes, limit);
  }
  return bytes;
}

engine::RocksCfOptions CfOptionsOf(const RocksCfConfig& config) {
  engine::RocksCfOptions out;
  out.write_buffer_bytes = config.write_buffer_size.bytes;
  out.max_write_buffers = static_cast<int>(config.max_write_buffer_number);
  out.block_bytes = config.block_size.bytes;
  out.level_base_bytes = config.max_bytes_for_level_base.bytes;
  out.target_file_bytes = config.target_file_size_base.bytes;
  out.level0_compaction_trigger = static_cast<int>(config.level0_file_num_compaction_trigger);
  out.level0_slowdown_trigger = static_cast<int>(config.level0_slowdown_writes_trigger);
  out.level0_stop_trigger = static_cast<int>(config.level0_stop_writes_trigger);
  out.disable_auto_compactions = config.disable_auto_compactions;
  return out;
}

}  // namespace

engine::RocksOptions RocksOptionsOf(const NodeConfig& config, FileSystem* files) {
  engine::RocksOptions out;
  out.dir = JoinPath(config.storage.data_dir, "db");
  const uint64_t cache = config.storage.block_cache.capacity.bytes;
  out.block_cache_bytes = cache != 0 ? cache : MemoryBytes(files) / 5;
  out.background_threads = static_cast<int>(config.rocksdb.max_background_jobs);
  out.max_open_files = static_cast<int>(config.rocksdb.max_open_files);
  out.max_wal_bytes = config.rocksdb.max_total_wal_size.bytes;
  out.compaction_bytes_per_sec = config.rocksdb.rate_bytes_per_sec.bytes;
  const auto set = [&](engine::Cf cf, const RocksCfConfig& from) {
    out.cf[static_cast<size_t>(cf)] = CfOptionsOf(from);
  };
  set(engine::Cf::kDefault, config.rocksdb.defaultcf);
  set(engine::Cf::kLock, config.rocksdb.lockcf);
  set(engine::Cf::kWrite, config.rocksdb.writecf);
  set(engine::Cf::kRaft, config.rocksdb.raftcf);
  return out;
}

raftlog::Options RaftLogOptionsOf(const NodeConfig& config) {
  raftlog::Options out;
  out.dir = config.raft_engine.dir.empty() ? JoinPath(config.storage.data_dir, "raft-engine")
                                           : config.raft_engine.dir;
  out.segment_bytes = config.raft_engine.target_file_size.bytes;
  return out;
}

RaftStoreConfig RaftStoreConfigOf(const NodeConfig& config) {
  const RaftstoreSection& from = config.raftstore;
  RaftStoreConfig out;
  out.tick_interval = duration_cast<milliseconds>(from.raft_base_tick_interval);
  out.heartbeat_ticks = static_cast<int>(from.raft_heartbeat_ticks);
  out.election_ticks = static_cast<int>(from.raft_election_timeout_ticks);
  out.lease = duration_cast<milliseconds>(from.raft_store_max_leader_lease);
  out.max_entry_bytes = from.raft_entry_max_size.bytes;
  out.log_gc_interval = duration_cast<milliseconds>(from.raft_log_gc_tick_interval);
  out.log_gc_threshold = from.raft_log_gc_threshold;
  out.log_gc_count_limit = from.raft_log_gc_count_limit;
  out.log_gc_size_limit = from.raft_log_gc_size_limit.bytes;
  out.split_check_interval = duration_cast<milliseconds>(from.split_region_check_tick_interval);
  out.region_split_bytes = config.coprocessor.region_split_size.bytes;
  out.region_max_bytes = config.coprocessor.region_max_size.bytes;
  out.region_split_keys = config.coprocessor.region_split_keys;
  out.region_max_keys = config.coprocessor.region_max_keys;
  out.max_split_batch = config.coprocessor.batch_split_limit;
  out.leader_missing_check = duration_cast<milliseconds>(from.peer_stale_state_check_interval);
  out.region_heartbeat_interval = duration_cast<milliseconds>(from.pd_heartbeat_tick_interval);
  out.store_heartbeat_interval = duration_cast<milliseconds>(from.pd_store_heartbeat_tick_interval);
  out.max_peer_down = duration_cast<milliseconds>(from.max_peer_down_duration);
  out.snapshot_dir = JoinPath(config.storage.data_dir, "snap");
  out.max_sending_snapshots = config.server.concurrent_send_snap_limit;
  out.max_receiving_snapshots = config.server.concurrent_recv_snap_limit;
  out.snapshot_bytes_per_second = config.server.snap_io_max_bytes_per_sec.bytes;
  out.shutdown_transfer_timeout =
      duration_cast<milliseconds>(config.server.graceful_shutdown_timeout / 2);
  return out;
}

}  // namespace tikv::server
