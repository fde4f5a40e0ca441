// What RaftStore does for its Store.
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "server/raftstore/store/background.h"
#include "server/raftstore/store/raft_store.h"

namespace tikv::server {

void RaftStore::Send(raft_serverpb::RaftMessage message) {
  ++stats_.messages_sent;
  sender_.Send(std::move(message));
}

void RaftStore::SendSnapshot(raft_serverpb::RaftMessage message,
                             std::shared_ptr<const engine::Snapshot> data) {
  ++stats_.sending_snapshots;
  options_.snapshot_thread->Post(
      [this, message = std::move(message), data = std::move(data)]() mutable {
        snapshot_sender_.Send(std::move(message), std::move(data));
      });
}

void RaftStore::FlushMessages() { sender_.Flush(); }

void RaftStore::Install(InstallTask task) {
  ++stats_.applying_snapshots;
  options_.snapshot_thread->Post([this, task = std::move(task)]() mutable {
    const RegionId region(task.region.id());
    const MonotonicTime begin = metrics_.Now();
    metrics_.snapshot_size.Observe(static_cast<double>(task.files->bytes));
    absl::Status status = InstallSnapshot(options_.engine, task);
    metrics_.ObserveSince(begin, &metrics_.snapshot_apply);
    --stats_.applying_snapshots;
    task.files.reset();
    LOG_INFO(options_.logger, "installed a snapshot", {"region_id", region.value},
             {"index", task.state.applied}, {"result", status.ok() ? "ok" : Message(status)});
    Enter([this, region, status = std::move(status)] { store_.OnInstalled(region, status); });
  });
}

void RaftStore::DeleteData(std::string start, std::string end) {
  options_.background->Post([this, start = std::move(start), end = std::move(end)] {
    absl::Status status = DeleteUserData(options_.engine, start, end);
    Enter([this, start, end, status] {
      // A later start finds and removes what is left; until then the range stays blocked.
      if (!status.ok()) {
        LOG_ERROR(options_.logger, "data of a removed region stays", {"error", Message(status)});
        return;
      }
      store_.OnCleaned(start, end);
    });
  });
}

void RaftStore::CheckSplit(SplitCheckTask task) {
  options_.background->Post([this, config = config_, task = std::move(task)] {
    SplitCheckResult result = RunSplitCheck(*options_.engine, config, task);
    Enter([this, result = std::move(result)] { store_.OnSplitChecked(result); });
  });
}

void RaftStore::SyncEngine() {
  options_.background->Post([this] {
    absl::Status status = options_.engine->Sync();
    Enter([this, status = std::move(status)] { store_.OnEngineSynced(status); });
  });
}

void RaftStore::ReportRegion(pdpb::RegionHeartbeatRequest heartbeat) {
  options_.pd->RegionHeartbeat(std::move(heartbeat));
}

void RaftStore::AskSplitIds(metapb::Region region, uint32_t count, uint64_t token) {
  options_.pd->AskBatchSplit(
      std::move(region), count, [this, token](absl::StatusOr<std::vector<pdpb::SplitID>> ids) {
        Enter([this, token, ids = std::move(ids)] { store_.OnSplitIds(token, ids); });
      });
}

void RaftStore::ReportSplit(std::vector<metapb::Region> regions) {
  options_.pd->ReportBatchSplit(std::move(regions), [this](const absl::Status& status) {
    // The heartbeats of the new regions say it again.
    if (!status.ok()) {
      LOG_WARN(options_.logger, "PD did not hear of a split", {"error", Message(status)});
    }
  });
}

void RaftStore::AskRegion(RegionId region) {
  options_.pd->GetRegionById(region, [this, region](absl::StatusOr<PdRegion> found) {
    absl::StatusOr<metapb::Region> info = metapb::Region();
    if (found.ok()) {
      info = std::move(found->region);
    } else {
      info = found.status();
    }
    Enter([this, region, info = std::move(info)] { store_.OnRegionInfo(region, info); });
  });
}

void RaftStore::Fatal(const absl::Status& status) {
  closing_ = true;
  LOG_FATAL(options_.logger, "this store must stop", {"error", Message(status)});
  CHECK(options_.on_fatal != nullptr) << status.ToString();
  options_.on_fatal(status);
}

}  // namespace tikv::server
