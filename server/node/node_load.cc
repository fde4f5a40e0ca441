// What the node watches about itself: its disk, and the load that PD is told of.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "server/node/node_impl.h"

namespace tikv::server {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What is acknowledged is on disk; what is not will never be answered.
void Node::Impl::EndOnFullDisk(const absl::Status& status) {
  const std::string text = fmt::format(
      "the disk of data folder {} is full, so this store stops; nothing is lost: free some space "
      "and start it again",
      config_.storage.data_dir);
  LOG_FATAL(log_, text, {"error", status});
  if (!config_.log.file.filename.empty()) std::fprintf(stderr, "tikv-server: %s\n", text.c_str());
  _exit(1);
}

// A disk near its reserve fills within a second: it is looked at more often.
void Node::Impl::WatchDisk(Duration pause) {
  completions_.PostAfter(pause, [this] { background_.Post([this] { MeasureDisk(); }); });
}

void Node::Impl::MeasureDisk() {
  constexpr Duration kUsual = seconds(1), kNearTheReserve = milliseconds(100);
  const auto space = files_.Space(config_.storage.data_dir);
  if (!space.ok()) return WatchDisk(kUsual);
  const uint64_t granted = config_.raftstore.capacity.bytes;
  const uint64_t capacity = granted == 0 ? space->capacity : std::min(granted, space->capacity);
  const uint64_t reserve = ReserveOf(config_.storage.reserve_space.bytes, capacity);
  const uint64_t available =
      AvailableOf(capacity, granted == 0 ? 0 : UsedBytes(*engine_, *raft_log_), space->available);
  const DiskUsage usage = std::max(DiskUsageOf(available, reserve), RaftDiskUsage());
  if (usage != disk_usage_) {
    constexpr const char* kNames[] = {"normal", "almost full", "already full"};
    LOG_WARN(log_, "the disk's state has changed", {"from", kNames[static_cast<int>(disk_usage_)]},
             {"to", kNames[static_cast<int>(usage)]}, {"available", available},
             {"reserve", reserve});
    disk_usage_ = usage;
    regions_->SetDiskUsage(usage);
  }
  WatchDisk(available < 4 * reserve ? kNearTheReserve : kUsual);
}

// Of the disk that the raft log has for itself.
DiskUsage Node::Impl::RaftDiskUsage() const {
  if (config_.raft_engine.dir.empty()) return DiskUsage::kNormal;
  const auto space = PosixFileSystem().Space(config_.raft_engine.dir);
  if (!space.ok()) return DiskUsage::kNormal;
  return DiskUsageOf(space->available,
                     ReserveOf(config_.storage.reserve_raft_space.bytes, space->capacity));
}

void Node::Impl::AddLoad(pdpb::StoreStats* stats) {
  const RaftStoreStats& regions = regions_->stats();
  size_t next = 0;
  // What was added to a counter since the last report.
  const auto since = [&](uint64_t now) { return now - std::exchange(reported_[next++], now); };
  stats->set_bytes_written(since(regions.bytes_written));
  stats->set_keys_written(since(regions.keys_written));
  stats->set_is_busy(since(regions.refused) > 0);
  stats->set_bytes_read(since(raw_storage_->flow().bytes));
  stats->set_keys_read(since(raw_storage_->flow().keys));
  stats->set_sending_snap_count(static_cast<uint32_t>(regions.sending_snapshots));
  stats->set_receiving_snap_count(static_cast<uint32_t>(regions.receiving_snapshots));
  stats->set_applying_snap_count(static_cast<uint32_t>(regions.applying_snapshots));
  const auto served = [&](std::initializer_list<Method> methods) {
    uint64_t sum = 0;
    for (const Method method : methods) sum += service_metrics_.Served(method);
    return since(sum);
  };
  pdpb::QueryStats* queries = stats->mutable_query_stats();
  queries->set_get(served({Method::kRawGet, Method::kRawBatchGet, Method::kRawGetKeyTtl}));
  queries->set_scan(served({Method::kRawScan, Method::kRawBatchScan, Method::kRawChecksum}));
  queries->set_put(served({Method::kRawPut, Method::kRawBatchPut, Method::kRawCompareAndSwap}));
  queries->set_delete_(served({Method::kRawDelete, Method::kRawBatchDelete}));
  queries->set_deleterange(served({Method::kRawDeleteRange}));
}

}  // namespace tikv::server
