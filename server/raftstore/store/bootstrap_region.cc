#include "server/raftstore/store/bootstrap_region.h"

#include "lib/engine/engine.h"
#include "proto/raft_serverpb.pb.h"
#include "server/codec/keys.h"
#include "server/raftstore/apply/applier.h"
#include "server/raftstore/store/initial_state.h"

namespace tikv::server {

metapb::Region FirstRegion(uint64_t region_id, uint64_t peer_id, uint64_t store_id) {
  metapb::Region region;
  region.set_id(region_id);
  region.mutable_region_epoch()->set_version(1);
  region.mutable_region_epoch()->set_conf_ver(1);
  metapb::Peer* peer = region.add_peers();
  peer->set_id(peer_id);
  peer->set_store_id(store_id);
  return region;
}

absl::Status WriteFirstRegion(engine::KvEngine* engine, const metapb::Region& region) {
  engine::WriteBatch batch;
  Applier::SaveRegion(region, raft_serverpb::PeerState::Normal, &batch);
  Applier::SaveApplyState(region.id(), kInitialApplyState, &batch);
  batch.Put(engine::Cf::kRaft, kPrepareBootstrapKey, region.SerializeAsString());
  return engine->Write(&batch, {.sync = true});
}

absl::Status RemoveFirstRegion(engine::KvEngine* engine, const metapb::Region& region) {
  engine::WriteBatch batch;
  batch.Delete(engine::Cf::kRaft, RegionStateKey(RegionId(region.id())));
  batch.Delete(engine::Cf::kRaft, ApplyStateKey(RegionId(region.id())));
  batch.Delete(engine::Cf::kRaft, kPrepareBootstrapKey);
  return engine->Write(&batch, {.sync = true});
}

}  // namespace tikv::server
