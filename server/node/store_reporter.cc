#include "server/node/store_reporter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "lib/base/status.h"
#include "server/node/disk_watch.h"

namespace tikv::server {
namespace {

constexpr Duration kRetry = std::chrono::seconds(1);

}  // namespace

uint64_t UsedBytes(const engine::KvEngine& engine, const raftlog::RaftLog& raft_log) {
  uint64_t used = raft_log.Stats().disk_bytes;
  for (const auto& [name, value] : engine.Stats()) {
    if (name.starts_with("total-sst-files-size/") || name.starts_with("cur-size-all-mem-tables/")) {
      used += value;
    }
  }
  return used;
}

StoreReporter::StoreReporter(ReporterDependencies deps, metapb::Store store, std::string data_dir,
                             uint64_t capacity, Duration interval)
    : deps_(std::move(deps)),
      store_(std::move(store)),
      data_dir_(std::move(data_dir)),
      capacity_(capacity),
      interval_(interval),
      start_seconds_(deps_.clock->Wall().seconds()),
      last_report_seconds_(start_seconds_),
      size_(deps_.metrics->AddGaugeFamily("tikv_store_size_bytes", "Disk of the data folder.",
                                          {"type"})),
      heartbeats_sent_(deps_.metrics
                           ->AddCounterFamily("tikv_pd_heartbeat_message_total",
                                              "Messages on the heartbeat stream.", {"type"})
                           .With({"send"})) {}

void StoreReporter::Start() {
  deps_.strand->Post([this] { Register(); });
}

void StoreReporter::Leave() {
  leaving_ = true;
  deps_.strand->Post([this] {
    if (!stopped_) Report();
  });
}

void StoreReporter::Later(Duration delay, void (StoreReporter::*step)()) {
  if (stopped_) return;
  deps_.strand->PostAfter(delay, [this, step] {
    if (!stopped_) (this->*step)();
  });
}

void StoreReporter::Register() {
  deps_.pd->PutStore(store_, [this](absl::Status status) {
    connected_ = status.ok();
    if (status.ok()) return Report();
    LOG_WARN(deps_.log, "PD does not take this store yet, trying again", {"error", status});
    Later(kRetry, &StoreReporter::Register);
  });
}

void StoreReporter::Report() {
  deps_.admin->ListRegions([this](std::vector<RegionId> regions) {
    // Answered on the raft thread; collecting touches the disk.
    deps_.strand->Post([this, count = regions.size()] { Send(count); });
  });
}

void StoreReporter::Send(size_t regions) {
  if (stopped_) return;
  heartbeats_sent_.Add();
  deps_.pd->StoreHeartbeat(
      Collect(regions), [this](absl::StatusOr<pdpb::StoreHeartbeatResponse> reply) {
        connected_ = reply.ok();
        if (!reply.ok() && !stopped_) {
          LOG_WARN(deps_.log, "a store heartbeat was not taken", {"error", reply.status()});
        }
        Later(interval_, &StoreReporter::Report);
      });
}

pdpb::StoreStats StoreReporter::Collect(size_t regions) {
  pdpb::StoreStats stats;
  const uint64_t used = UsedBytes(*deps_.engine, *deps_.raft_log);
  if (const auto space = deps_.files->Space(data_dir_); space.ok()) {
    const uint64_t capacity =
        capacity_ == 0 ? space->capacity : std::min(capacity_, space->capacity);
    stats.set_capacity(capacity);
    stats.set_available(AvailableOf(capacity, used, space->available));
    size_.With({"capacity"}).Set(static_cast<double>(stats.capacity()));
    size_.With({"available"}).Set(static_cast<double>(stats.available()));
  }
  size_.With({"used"}).Set(static_cast<double>(used));
  const int64_t now = deps_.clock->Wall().seconds();
  stats.set_store_id(store_.id());
  stats.set_is_stopping(leaving_);
  stats.set_used_size(used);
  stats.set_region_count(static_cast<uint32_t>(regions));
  stats.set_start_time(static_cast<uint32_t>(start_seconds_));
  stats.set_slow_score(static_cast<uint64_t>(slow_score()));
  stats.mutable_interval()->set_start_timestamp(static_cast<uint64_t>(last_report_seconds_));
  stats.mutable_interval()->set_end_timestamp(static_cast<uint64_t>(now));
  last_report_seconds_ = now;
  if (deps_.add_load) deps_.add_load(&stats);
  return stats;
}

}  // namespace tikv::server
