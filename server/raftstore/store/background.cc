#include "server/raftstore/store/background.h"

#include <algorithm>
#include <map>

#include "lib/base/memcomparable.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "lib/engine/write_batch.h"
#include "server/codec/keys.h"
#include "server/raftstore/apply/applier.h"

namespace tikv::server {

absl::Status DeleteUserData(engine::KvEngine* engine, const std::string& start,
                            const std::string& end) {
  for (const engine::Cf cf : engine::kDataCfs) {
    RETURN_IF_ERROR(engine->DeleteFilesInRange(cf, DataKey(start), DataEndKey(end)));
  }
  return absl::OkStatus();
}

absl::Status InstallSnapshot(engine::KvEngine* engine, const InstallTask& task) {
  if (task.had_data) RETURN_IF_ERROR(DeleteUserData(engine, task.old_start, task.old_end));
  RETURN_IF_ERROR(DeleteUserData(engine, task.region.start_key(), task.region.end_key()));
  std::map<engine::Cf, std::vector<std::string>> paths;
  for (const auto& [cf, path] : task.files->files) paths[cf].push_back(path);
  for (const auto& [cf, files] : paths) RETURN_IF_ERROR(engine->IngestSst(cf, files));
  engine::WriteBatch batch;
  Applier::SaveRegion(task.region, raft_serverpb::PeerState::Normal, &batch);
  Applier::SaveApplyState(task.region.id(), task.state, &batch);
  return engine->Write(&batch, {.sync = true});
}

std::string SplitBoundary(std::string_view data_key) {
  const std::string_view key = StripDataPrefix(data_key);
  std::string_view rest = key;
  constexpr size_t kTimestamp = 8;
  if (DecodeMemcomparable(&rest).has_value() && rest.size() == kTimestamp) {
    return std::string(key.substr(0, key.size() - kTimestamp));
  }
  return std::string(key);
}

SplitCheckResult RunSplitCheck(const engine::KvEngine& engine, const RaftStoreConfig& config,
                               const SplitCheckTask& task) {
  SplitCheckResult result{task.region, task.version, 0, 0, {}};
  const std::string lower = DataKey(task.start), upper = DataEndKey(task.end);
  engine::Cf largest = engine::Cf::kDefault;
  uint64_t largest_bytes = 0;
  for (const engine::Cf cf : engine::kDataCfs) {
    const auto estimate = engine.Estimate(cf, lower, upper);
    if (!estimate.ok()) continue;
    result.bytes += estimate->bytes;
    result.keys += estimate->keys;
    if (estimate->bytes > largest_bytes) largest = cf, largest_bytes = estimate->bytes;
  }
  const bool too_large =
      result.bytes >= config.region_max_bytes || result.keys >= config.region_max_keys;
  if (!too_large && !task.forced) return result;
  uint64_t pieces = result.bytes / std::max<uint64_t>(config.region_split_bytes, 1);
  pieces = std::max(pieces, result.keys / std::max<uint64_t>(config.region_split_keys, 1));
  pieces = std::clamp<uint64_t>(task.forced ? 2 : pieces, 2, config.max_split_batch + 1);
  const auto keys = engine::SplitKeys(engine, largest, lower, upper,
                                      std::max<uint64_t>(largest_bytes / pieces, 1), pieces - 1);
  if (!keys.ok()) return result;
  for (const std::string& key : *keys) {
    std::string boundary = SplitBoundary(key);
    if (boundary > task.start && InRange(boundary, task.start, task.end)) {
      result.split_keys.push_back(std::move(boundary));
    }
  }
  return result;
}

}  // namespace tikv::server
