// StoreOutput: everything a store does beyond its own engine and log.  The shell carries it out;
// tests and the simulation bring their own.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/metapb.pb.h"
#include "proto/pdpb.pb.h"
#include "proto/raft_serverpb.pb.h"
#include "server/raftstore/apply/applier.h"
#include "server/raftstore/snapshot/snapshot_files.h"

namespace tikv::engine {
class Snapshot;
}

namespace tikv::server {

// Replace a replica's data by a snapshot: delete the old range and the new one, ingest the files,
// and write region and apply state, durably.  Answered by Store::OnInstalled.
struct InstallTask {
  metapb::Region region;  // The new one.
  ApplyState state;
  bool had_data = false;
  std::string old_start;
  std::string old_end;
  std::shared_ptr<SnapshotFiles> files;
};

// Find out how large a region is and where to cut it.  Answered by Store::OnSplitChecked.
struct SplitCheckTask {
  RegionId region;
  uint64_t version = 0;
  std::string start;
  std::string end;
  bool forced = false;  // Cut also when small (asked by the placement driver).
};

// What a split check found.
struct SplitCheckResult {
  RegionId region;
  uint64_t version = 0;
  uint64_t bytes = 0;
  uint64_t keys = 0;
  std::vector<std::string> split_keys;  // User keys, inside the region; empty: leave it whole.
};

// Called on the raft thread; none of the calls blocks or calls back before it returns.
class StoreOutput {
 public:
  virtual ~StoreOutput() = default;

  virtual void Send(raft_serverpb::RaftMessage message) = 0;
  // A MsgSnapshot and its data.  Answered by Store::OnSnapshotSent.
  virtual void SendSnapshot(raft_serverpb::RaftMessage message,
                            std::shared_ptr<const engine::Snapshot> data) = 0;
  // What was sent since the last call may leave.
  virtual void FlushMessages() = 0;

  virtual void Install(InstallTask task) = 0;
  // Deletes user data in [start, end), of which no region is left.  Answered by Store::OnCleaned.
  virtual void DeleteData(std::string start, std::string end) = 0;
  virtual void CheckSplit(SplitCheckTask task) = 0;
  // Makes the engine durable.  Answered by Store::OnEngineSynced.
  virtual void SyncEngine() = 0;

  virtual void ReportRegion(pdpb::RegionHeartbeatRequest heartbeat) = 0;
  // Ids for `keys.size()` new regions.  Answered by Store::OnSplitIds with the same token.
  virtual void AskSplitIds(metapb::Region region, uint32_t count, uint64_t token) = 0;
  virtual void ReportSplit(std::vector<metapb::Region> regions) = 0;
  // Whether a replica that hears of no leader is still wanted.  Answered by Store::OnRegionInfo.
  virtual void AskRegion(RegionId region) = 0;

  // The disk failed or the data is damaged: nothing this store says can be trusted from here on.
  virtual void Fatal(const absl::Status& status) = 0;
};

}  // namespace tikv::server
