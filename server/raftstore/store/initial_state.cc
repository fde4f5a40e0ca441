#include "server/raftstore/store/initial_state.h"

#include "lib/engine/engine.h"
#include "server/codec/keys.h"

namespace tikv::server {
namespace {

template <class Message>
std::optional<Message> ReadRecord(const engine::Reader& engine, const std::string& key) {
  std::string value;
  const auto found = engine.Get(engine::Cf::kRaft, key, &value);
  Message message;
  if (!found.ok() || !*found || !message.ParseFromString(value)) return std::nullopt;
  return message;
}

}  // namespace

std::optional<raft_serverpb::RegionLocalState> ReadRegionState(const engine::Reader& engine,
                                                               RegionId region) {
  return ReadRecord<raft_serverpb::RegionLocalState>(engine, RegionStateKey(region));
}

std::optional<ApplyState> ReadApplyState(const engine::Reader& engine, RegionId region) {
  const auto record = ReadRecord<raft_serverpb::RaftApplyState>(engine, ApplyStateKey(region));
  if (!record.has_value()) return std::nullopt;
  return ApplyState{record->applied_index(), record->truncated_state().index(),
                    record->truncated_state().term()};
}

}  // namespace tikv::server
