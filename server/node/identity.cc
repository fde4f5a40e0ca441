#include "server/node/identity.h"

#include <string>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "proto/raft_serverpb.pb.h"
#include "server/codec/keys.h"
#include "server/node/blocking.h"

namespace tikv::server {
namespace {

// Where the log of a new region begins: behind entries that never existed.
constexpr uint64_t kFirstIndex = 5;
constexpr uint64_t kFirstTerm = 5;

constexpr engine::WriteOptions kDurable{.sync = true};

absl::StatusOr<StoreIdentity> ParseIdentity(const std::string& bytes) {
  raft_serverpb::StoreIdent ident;
  if (!ident.ParseFromString(bytes)) return DataLoss("the store's identity record is damaged");
  return StoreIdentity{ClusterId(ident.cluster_id()), StoreId(ident.store_id()),
                       static_cast<ApiVersion>(ident.api_version())};
}

absl::StatusOr<uint64_t> AllocId(PdClient* pd) {
  using Reply = absl::StatusOr<std::vector<uint64_t>>;
  ASSIGN_OR_RETURN(const std::vector<uint64_t> ids,
                   Await<Reply>([&](auto done) { pd->AllocIds(1, std::move(done)); }));
  return ids.front();
}

absl::Status WriteIdentity(engine::KvEngine* engine, const StoreIdentity& identity) {
  raft_serverpb::StoreIdent ident;
  ident.set_cluster_id(identity.cluster.value);
  ident.set_store_id(identity.store.value);
  ident.set_api_version(static_cast<kvrpcpb::APIVersion>(identity.api));
  engine::WriteBatch batch;
  batch.Put(engine::Cf::kRaft, kStoreIdentKey, ident.SerializeAsString());
  return engine->Write(&batch, kDurable);
}

// The region over the whole key space with one replica, here.
absl::StatusOr<metapb::Region> MakeFirstRegion(PdClient* pd, uint64_t store) {
  metapb::Region region;
  ASSIGN_OR_RETURN(const uint64_t region_id, AllocId(pd));
  ASSIGN_OR_RETURN(const uint64_t peer_id, AllocId(pd));
  region.set_id(region_id);
  region.mutable_region_epoch()->set_conf_ver(1);
  region.mutable_region_epoch()->set_version(1);
  metapb::Peer* peer = region.add_peers();
  peer->set_id(peer_id);
  peer->set_store_id(store);
  return region;
}

absl::Status PrepareRegion(engine::KvEngine* engine, const metapb::Region& region) {
  raft_serverpb::RegionLocalState state;
  *state.mutable_region() = region;
  raft_serverpb::RaftApplyState apply;
  apply.set_applied_index(kFirstIndex);
  apply.mutable_truncated_state()->set_index(kFirstIndex);
  apply.mutable_truncated_state()->set_term(kFirstTerm);
  engine::WriteBatch batch;
  batch.Put(engine::Cf::kRaft, kPrepareBootstrapKey, region.SerializeAsString());
  batch.Put(engine::Cf::kRaft, RegionStateKey(RegionId(region.id())), state.SerializeAsString());
  batch.Put(engine::Cf::kRaft, ApplyStateKey(RegionId(region.id())), apply.SerializeAsString());
  return engine->Write(&batch, kDurable);
}

absl::Status FinishBootstrap(engine::KvEngine* engine, const metapb::Region& region, bool keep) {
  engine::WriteBatch batch;
  batch.Delete(engine::Cf::kRaft, kPrepareBootstrapKey);
  if (!keep) {
    batch.Delete(engine::Cf::kRaft, RegionStateKey(RegionId(region.id())));
    batch.Delete(engine::Cf::kRaft, ApplyStateKey(RegionId(region.id())));
  }
  return engine->Write(&batch, kDurable);
}

// Whether PD's first region is the one that we prepared: then our earlier call did succeed.
absl::StatusOr<bool> IsFirstRegion(PdClient* pd, const metapb::Region& region) {
  using Reply = absl::StatusOr<PdRegion>;
  Reply found =
      Await<Reply>([&](auto done) { pd->GetRegionById(RegionId(region.id()), std::move(done)); });
  if (absl::IsNotFound(found.status())) return false;
  if (!found.ok()) return found.status();
  return true;  // Ids are given out once, so nobody else can have made this region.
}

}  // namespace

absl::StatusOr<StoreIdentity> LoadOrCreateIdentity(engine::KvEngine* engine, PdClient* pd,
                                                   ApiVersion api, const std::string& data_dir) {
  std::string bytes;
  ASSIGN_OR_RETURN(const bool found, engine->Get(engine::Cf::kRaft, kStoreIdentKey, &bytes));
  if (!found) {
    ASSIGN_OR_RETURN(const uint64_t id, AllocId(pd));
    const StoreIdentity identity{pd->cluster_id(), StoreId(id), api};
    RETURN_IF_ERROR(WriteIdentity(engine, identity));
    return identity;
  }
  ASSIGN_OR_RETURN(const StoreIdentity identity, ParseIdentity(bytes));
  if (identity.cluster != pd->cluster_id()) {
    return FailedPrecondition(
        "data folder {} belongs to cluster {}, but PD serves cluster {}: give another --data-dir, "
        "or the PD of that cluster",
        data_dir, identity.cluster.value, pd->cluster_id().value);
  }
  if (identity.api != api) {
    return FailedPrecondition(
        "data folder {} was created with API {}, but the configuration asks for API {}: set "
        "storage.api-version and storage.enable-ttl as they were, or start with an empty folder",
        data_dir, ApiVersionName(identity.api), ApiVersionName(api));
  }
  return identity;
}

absl::Status BootstrapCluster(engine::KvEngine* engine, PdClient* pd, const metapb::Store& store) {
  std::string bytes;
  metapb::Region region;
  ASSIGN_OR_RETURN(const bool prepared,
                   engine->Get(engine::Cf::kRaft, kPrepareBootstrapKey, &bytes));
  if (prepared && !region.ParseFromString(bytes)) {
    return DataLoss("the record of the first region is damaged");
  }
  ASSIGN_OR_RETURN(const bool bootstrapped, Await<absl::StatusOr<bool>>([&](auto done) {
                     pd->IsBootstrapped(std::move(done));
                   }));
  if (bootstrapped && !prepared) return absl::OkStatus();
  if (!prepared) {
    ASSIGN_OR_RETURN(region, MakeFirstRegion(pd, store.id()));
    RETURN_IF_ERROR(PrepareRegion(engine, region));
  }
  if (!bootstrapped) {
    const absl::Status status =
        Await<absl::Status>([&](auto done) { pd->Bootstrap(store, region, std::move(done)); });
    if (status.ok()) return FinishBootstrap(engine, region, true);
    if (!absl::IsAlreadyExists(status)) return status;
  }
  ASSIGN_OR_RETURN(const bool ours, IsFirstRegion(pd, region));
  return FinishBootstrap(engine, region, ours);
}

}  // namespace tikv::server
