// What a store may be told about its regions; defaults as TiKV's, timing as design decision 10.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tikv::server {

// Plain values.  What RaftStore::Reconfigure takes over is marked; the rest is fixed once the store
// has started.
struct RaftStoreConfig {
  // ---- Raft ----
  std::chrono::milliseconds tick_interval{100};
  int heartbeat_ticks = 2;
  int election_ticks = 10;  // A follower campaigns after 10 to 20.
  // REQUIRES: < (election_ticks - 1) * tick_interval, less the drift of two clocks.
  std::chrono::milliseconds lease{895};  // Changeable.
  int read_index_retry_ticks = 4;
  uint64_t max_entry_bytes = 8 << 20;    // One request.  Changeable.
  uint64_t entry_batch_bytes = 1 << 20;  // Requests share an entry up to here.
  uint64_t max_uncommitted_bytes = 64 << 20;
  uint64_t max_transfer_lag = 128;  // Entries a transferee may miss.

  // ---- log garbage (changeable) ----
  std::chrono::milliseconds log_gc_interval{3'000};
  uint64_t log_gc_threshold = 50;
  // What the slowest replica may lack before it is left to a snapshot: in entries, and in bytes.
  uint64_t log_gc_count_limit = 196'608;             // 0.75 * region size / 1 KiB.
  uint64_t log_gc_size_limit = uint64_t{192} << 20;  // 0.75 * region size.

  // ---- regions (changeable) ----
  std::chrono::milliseconds split_check_interval{10'000};
  uint64_t region_split_bytes = uint64_t{256} << 20;
  uint64_t region_max_bytes = uint64_t{384} << 20;
  uint64_t region_split_keys = 2'560'000;
  uint64_t region_max_keys = 3'840'000;
  size_t max_split_batch = 10;
  std::chrono::milliseconds leader_missing_check{60'000};

  // ---- the placement driver (changeable) ----
  std::chrono::milliseconds region_heartbeat_interval{60'000};
  std::chrono::milliseconds store_heartbeat_interval{10'000};
  std::chrono::milliseconds max_peer_down{600'000};

  // ---- bounds ----
  size_t max_inbox_messages = 65'536;  // Requests waiting for the raft thread.
  size_t max_inbox_bytes = size_t{256} << 20;
  size_t max_proposals_per_region = 16'384;
  size_t max_reads_per_region = 65'536;

  // ---- snapshots (changeable but for the folder) ----
  std::string snapshot_dir;  // Files being received.
  size_t max_sending_snapshots = 32;
  size_t max_receiving_snapshots = 32;
  uint64_t snapshot_bytes_per_second = uint64_t{100} << 20;  // 0: no limit.

  // Handing leaders over before the end.  Changeable.
  std::chrono::milliseconds shutdown_transfer_timeout{10'000};
};

}  // namespace tikv::server
