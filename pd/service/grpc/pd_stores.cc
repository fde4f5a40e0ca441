// pdpb.PD: the cluster's start and its stores.
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "pd/service/grpc/pd_service.h"

namespace tikv::pd {

void PdService::RegisterStores(rpc::Server* server) {
  Unary(server, "Bootstrap", kLeader | kClusterId, &PdService::Bootstrap);
  Unary(server, "IsBootstrapped", kLeader | kClusterId, &PdService::IsBootstrapped);
  Unary(server, "IsSnapshotRecovering", kLeader | kClusterId, &PdService::IsSnapshotRecovering);
  Unary(server, "GetClusterConfig", kOrdinary, &PdService::GetClusterConfig);
  Unary(server, "PutClusterConfig", kOrdinary, &PdService::PutClusterConfig);
  Unary(server, "PutStore", kOrdinary, &PdService::PutStore);
  Unary(server, "GetStore", kRegionRead, &PdService::GetStore);
  Unary(server, "GetAllStores", kRegionRead, &PdService::GetAllStores);
  Unary(server, "StoreHeartbeat", kOrdinary, &PdService::StoreHeartbeat);
}

namespace {

absl::Status CheckBootstrap(const pdpb::BootstrapRequest& request) {
  const auto& region = request.region();
  if (!request.has_store()) return InvalidArgument("missing store meta for bootstrap");
  if (request.store().id() == 0) return InvalidArgument("invalid zero store id");
  if (!request.has_region()) return InvalidArgument("missing region meta for bootstrap");
  if (!region.start_key().empty() || !region.end_key().empty()) {
    return InvalidArgument("invalid first region key range, must all be empty for bootstrap");
  }
  if (region.id() == 0) return InvalidArgument("invalid zero region id");
  if (region.peers_size() != 1) {
    return InvalidArgument("invalid first region peer count {}, must be 1", region.peers_size());
  }
  const auto& peer = region.peers(0);
  if (peer.store_id() != request.store().id()) {
    return InvalidArgument("invalid peer store id {} != {}", peer.store_id(), request.store().id());
  }
  if (peer.id() == 0) return InvalidArgument("invalid zero peer id");
  return Version::Parse(request.store().version()).status();
}

}  // namespace

void PdService::Bootstrap(const pdpb::BootstrapRequest& request,
                          Reply<pdpb::BootstrapResponse> reply) {
  if (cluster_->bootstrapped()) {
    return reply.HeaderError(pdpb::ALREADY_BOOTSTRAPPED, "cluster is already bootstrapped");
  }
  if (absl::Status s = CheckBootstrap(request); !s.ok()) return reply.Error(s);
  cluster_->Bootstrap(
      request.store(), request.region(), [reply = std::move(reply)](absl::Status s) mutable {
        if (s.ok()) return reply.Send();
        reply.Error(s, absl::IsAlreadyExists(s) ? pdpb::ALREADY_BOOTSTRAPPED : pdpb::UNKNOWN);
      });
}

void PdService::IsBootstrapped(const pdpb::IsBootstrappedRequest&,
                               Reply<pdpb::IsBootstrappedResponse> reply) {
  pdpb::IsBootstrappedResponse r;
  r.set_bootstrapped(cluster_->bootstrapped());
  reply.Send(std::move(r));
}

void PdService::IsSnapshotRecovering(const pdpb::IsSnapshotRecoveringRequest&,
                                     Reply<pdpb::IsSnapshotRecoveringResponse> reply) {
  pdpb::IsSnapshotRecoveringResponse r;
  r.set_marked(
      cluster_->With([](ClusterState& s) { return s.markers.contains("snapshot-recovering"); }));
  SendRead(std::move(reply), std::move(r));
}

void PdService::GetClusterConfig(const pdpb::GetClusterConfigRequest&,
                                 Reply<pdpb::GetClusterConfigResponse> reply) {
  pdpb::GetClusterConfigResponse r;
  *r.mutable_cluster() = cluster_->With([](ClusterState& s) { return s.meta; });
  SendRead(std::move(reply), std::move(r));
}

void PdService::PutClusterConfig(const pdpb::PutClusterConfigRequest& request,
                                 Reply<pdpb::PutClusterConfigResponse> reply) {
  if (!request.has_cluster()) return reply.HeaderError(pdpb::UNKNOWN, "missing cluster");
  if (request.cluster().id() != reply.cluster_id()) {
    return reply.HeaderError(pdpb::UNKNOWN,
                             fmt::format("invalid cluster {}, mismatch cluster id {}",
                                         request.cluster().id(), reply.cluster_id()));
  }
  const uint32_t replicas = request.cluster().max_peer_count();
  cluster_->ChangeConfig(
      [replicas](Config& c) {
        return c.UpdateSection("replication", {{"max-replicas", replicas}});
      },
      [reply = std::move(reply)](absl::Status s) mutable { reply.Finish(s); });
}

void PdService::PutStore(const pdpb::PutStoreRequest& request,
                         Reply<pdpb::PutStoreResponse> reply) {
  cluster_->PutStore(request.store(), [reply = std::move(reply)](absl::Status s) mutable {
    if (s.ok()) return reply.Send();
    reply.Error(s, absl::IsOutOfRange(s) ? pdpb::STORE_TOMBSTONE : pdpb::UNKNOWN);
  });
}

void PdService::GetStore(const pdpb::GetStoreRequest& request,
                         Reply<pdpb::GetStoreResponse> reply) {
  pdpb::GetStoreResponse r;
  const bool found = cluster_->With([&](ClusterState& s) {
    const StoreInfo* store = s.stores.Find(StoreId(request.store_id()));
    if (store == nullptr) return false;
    *r.mutable_store() = store->meta;
    *r.mutable_stats() = store->stats;
    return true;
  });
  if (!found) {
    return reply.HeaderError(pdpb::UNKNOWN,
                             fmt::format("invalid store ID {}, not found", request.store_id()));
  }
  SendRead(std::move(reply), std::move(r));
}

void PdService::GetAllStores(const pdpb::GetAllStoresRequest& request,
                             Reply<pdpb::GetAllStoresResponse> reply) {
  pdpb::GetAllStoresResponse r;
  cluster_->With([&](ClusterState& s) {
    for (const auto& [id, store] : s.stores.all()) {
      if (store.removed() && request.exclude_tombstone_stores()) continue;
      *r.add_stores() = store.meta;
    }
  });
  SendRead(std::move(reply), std::move(r));
}

void PdService::StoreHeartbeat(const pdpb::StoreHeartbeatRequest& request,
                               Reply<pdpb::StoreHeartbeatResponse> reply) {
  if (!request.has_stats()) {
    return reply.Fail(Unknown("invalid store heartbeat command, but {}",
                              request.ShortDebugString().substr(0, 256)));
  }
  pdpb::StoreHeartbeatResponse r;
  absl::Status s = cluster_->StoreHeartbeat(request, &r);
  if (s.ok()) return SendRead(std::move(reply), std::move(r));
  if (!absl::IsOutOfRange(s)) return reply.Error(s);
  // The store ends when it hears this.
  r = {};
  r.mutable_header()->mutable_error()->set_type(pdpb::STORE_TOMBSTONE);
  r.mutable_header()->mutable_error()->set_message(std::string(Message(s)));
  SendRead(std::move(reply), std::move(r));
}

}  // namespace tikv::pd
