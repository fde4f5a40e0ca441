// pdpb.PD: the state of garbage collection and the barriers that hold it back.
#include <limits>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "pd/service/grpc/pd_service.h"

namespace tikv::pd {
namespace {

// One state for all keyspaces: the null keyspace's.
constexpr uint32_t kAllKeyspaces = std::numeric_limits<uint32_t>::max();
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

template <class Info>
void Fill(const std::string& id, const ServiceSafePoint& point, int64_t now_s, Info* out) {
  out->set_barrier_id(id);
  out->set_barrier_ts(point.safe_point);
  out->set_ttl_seconds(point.expired_at_s == kForever ? kForever : point.expired_at_s - now_s);
}

void FillState(const GcState& gc, int64_t now_s, pdpb::GCState* out) {
  out->mutable_keyspace_scope()->set_keyspace_id(kAllKeyspaces);
  out->set_txn_safe_point(gc.txn_safe_point());
  out->set_gc_safe_point(gc.gc_safe_point());
  for (const auto& [id, point] : gc.services()) {
    if (id == GcState::kGcWorker || point.expired_at_s < now_s) continue;
    Fill(id, point, now_s, out->add_gc_barriers());
  }
}

meta::Op Stored(const std::string& key, const std::string& id, const ServiceSafePoint& point) {
  const nlohmann::json json = {
      {"service_id", id}, {"expired_at", point.expired_at_s}, {"safe_point", point.safe_point}};
  return meta::Op::Put(key, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// DEFAULT and the null keyspace share the state; others are not made here.
absl::Status CheckScope(const pdpb::KeyspaceScope& scope) {
  if (scope.keyspace_id() == 0 || scope.keyspace_id() == kAllKeyspaces) return absl::OkStatus();
  return InvalidArgument("[PD:keyspace:ErrKeyspaceNotFound]keyspace does not exist");
}

template <class Response>
void Set(Cluster* cluster, GcState::Barrier kind, const std::string& key, const std::string& id,
         uint64_t ts, int64_t ttl_s, Reply<Response> reply) {
  const int64_t now_s = cluster->NowMs() / 1000;
  auto r = std::make_shared<Response>();
  cluster->Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        ASSIGN_OR_RETURN(auto point, s.gc.SetBarrier(kind, id, ts, ttl_s, now_s));
        Fill(id, point, now_s, r->mutable_new_barrier_info());
        return std::vector<meta::Op>{Stored(key, id, point)};
      },
      [r, reply = std::move(reply)](absl::Status s) mutable {
        s.ok() ? reply.Send(*r) : reply.Error(s);
      });
}

template <class Response>
void Delete(Cluster* cluster, GcState::Barrier kind, const std::string& key, const std::string& id,
            Reply<Response> reply) {
  const int64_t now_s = cluster->NowMs() / 1000;
  auto r = std::make_shared<Response>();
  cluster->Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        auto gone = s.gc.DeleteBarrier(kind, id);
        if (!gone) return std::vector<meta::Op>();
        Fill(id, *gone, now_s, r->mutable_deleted_barrier_info());
        return std::vector<meta::Op>{meta::Op::Delete(key)};
      },
      [r, reply = std::move(reply)](absl::Status s) mutable {
        s.ok() ? reply.Send(*r) : reply.Error(s);
      });
}

}  // namespace

void PdService::RegisterBarriers(rpc::Server* server) {
  Unary(server, "GetGCState", kOrdinary, &PdService::GetGCState);
  Unary(server, "GetAllKeyspacesGCStates", kOrdinary, &PdService::GetAllKeyspacesGCStates);
  Unary(server, "SetGCBarrier", kOrdinary, &PdService::SetGCBarrier);
  Unary(server, "DeleteGCBarrier", kOrdinary, &PdService::DeleteGCBarrier);
  Unary(server, "SetGlobalGCBarrier", kOrdinary, &PdService::SetGlobalGCBarrier);
  Unary(server, "DeleteGlobalGCBarrier", kOrdinary, &PdService::DeleteGlobalGCBarrier);
}

void PdService::GetGCState(const pdpb::GetGCStateRequest& request,
                           Reply<pdpb::GetGCStateResponse> reply) {
  if (absl::Status s = CheckScope(request.keyspace_scope()); !s.ok()) return reply.Error(s);
  pdpb::GetGCStateResponse r;
  const int64_t now_s = cluster_->NowMs() / 1000;
  cluster_->With([&](ClusterState& s) { FillState(s.gc, now_s, r.mutable_gc_state()); });
  SendRead(std::move(reply), std::move(r));
}

void PdService::GetAllKeyspacesGCStates(const pdpb::GetAllKeyspacesGCStatesRequest&,
                                        Reply<pdpb::GetAllKeyspacesGCStatesResponse> reply) {
  pdpb::GetAllKeyspacesGCStatesResponse r;
  const int64_t now_s = cluster_->NowMs() / 1000;
  cluster_->With([&](ClusterState& s) {
    FillState(s.gc, now_s, r.add_gc_states());
    for (const auto& [id, point] : s.gc.global_barriers()) {
      if (point.expired_at_s >= now_s) Fill(id, point, now_s, r.add_global_gc_barriers());
    }
  });
  SendRead(std::move(reply), std::move(r));
}

void PdService::SetGCBarrier(const pdpb::SetGCBarrierRequest& request,
                             Reply<pdpb::SetGCBarrierResponse> reply) {
  if (absl::Status s = CheckScope(request.keyspace_scope()); !s.ok()) return reply.Error(s);
  Set(cluster_, GcState::Barrier::kOfKeyspace,
      cluster_->keys().ServiceSafePoints() + request.barrier_id(), request.barrier_id(),
      request.barrier_ts(), request.ttl_seconds(), std::move(reply));
}

void PdService::DeleteGCBarrier(const pdpb::DeleteGCBarrierRequest& request,
                                Reply<pdpb::DeleteGCBarrierResponse> reply) {
  if (absl::Status s = CheckScope(request.keyspace_scope()); !s.ok()) return reply.Error(s);
  Delete(cluster_, GcState::Barrier::kOfKeyspace,
         cluster_->keys().ServiceSafePoints() + request.barrier_id(), request.barrier_id(),
         std::move(reply));
}

void PdService::SetGlobalGCBarrier(const pdpb::SetGlobalGCBarrierRequest& request,
                                   Reply<pdpb::SetGlobalGCBarrierResponse> reply) {
  Set(cluster_, GcState::Barrier::kGlobal, cluster_->keys().GlobalBarriers() + request.barrier_id(),
      request.barrier_id(), request.barrier_ts(), request.ttl_seconds(), std::move(reply));
}

void PdService::DeleteGlobalGCBarrier(const pdpb::DeleteGlobalGCBarrierRequest& request,
                                      Reply<pdpb::DeleteGlobalGCBarrierResponse> reply) {
  Delete(cluster_, GcState::Barrier::kGlobal,
         cluster_->keys().GlobalBarriers() + request.barrier_id(), request.barrier_id(),
         std::move(reply));
}

}  // namespace tikv::pd
