// pdpb.PD: garbage collection.
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "pd/meta/meta_store.h"
#include "pd/service/grpc/pd_service.h"

namespace tikv::pd {

void PdService::RegisterGc(rpc::Server* server) {
  Unary(server, "GetGCSafePoint", kOrdinary, &PdService::GetGCSafePoint);
  Unary(server, "UpdateGCSafePoint", kOrdinary, &PdService::UpdateGCSafePoint);
  Unary(server, "UpdateServiceGCSafePoint", kOrdinary, &PdService::UpdateServiceGCSafePoint);
  Unary(server, "AdvanceTxnSafePoint", kOrdinary, &PdService::AdvanceTxnSafePoint);
  Unary(server, "AdvanceGCSafePoint", kOrdinary, &PdService::AdvanceGCSafePoint);
  RegisterBarriers(server);
  for (const char* name : {"GetGCSafePointV2", "UpdateGCSafePointV2", "UpdateServiceSafePointV2",
                           "GetAllGCSafePointV2"}) {
    Refuse(server, name);
  }
}

void PdService::GetGCSafePoint(const pdpb::GetGCSafePointRequest&,
                               Reply<pdpb::GetGCSafePointResponse> reply) {
  pdpb::GetGCSafePointResponse r;
  r.set_safe_point(cluster_->With([](ClusterState& s) { return s.gc.gc_safe_point(); }));
  SendRead(std::move(reply), std::move(r));
}

void PdService::UpdateGCSafePoint(const pdpb::UpdateGCSafePointRequest& request,
                                  Reply<pdpb::UpdateGCSafePointResponse> reply) {
  auto r = std::make_shared<pdpb::UpdateGCSafePointResponse>();
  cluster_->Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        const uint64_t now = s.gc.UpdateGcSafePoint(request.safe_point());
        r->set_new_safe_point(now);
        return std::vector<meta::Op>{
            meta::Op::Put(cluster_->keys().GcSafePoint(), std::to_string(now)),
            meta::Op::Put(cluster_->keys().TxnSafePoint(), std::to_string(s.gc.txn_safe_point()))};
      },
      [r, reply = std::move(reply)](absl::Status s) mutable {
        s.ok() ? reply.Send(*r) : reply.Error(s);
      });
}

void PdService::UpdateServiceGCSafePoint(const pdpb::UpdateServiceGCSafePointRequest& request,
                                         Reply<pdpb::UpdateServiceGCSafePointResponse> reply) {
  const int64_t now_s = cluster_->NowMs() / 1000;
  auto r = std::make_shared<pdpb::UpdateServiceGCSafePointResponse>();
  const std::string key = cluster_->keys().ServiceSafePoints() + request.service_id();
  cluster_->Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        ASSIGN_OR_RETURN(auto update, s.gc.UpdateService(request.service_id(), request.ttl(),
                                                         request.safe_point(), now_s));
        r->set_service_id(update.min_service);
        r->set_ttl(update.min.expired_at_s == std::numeric_limits<int64_t>::max()
                       ? update.min.expired_at_s
                       : update.min.expired_at_s - now_s);
        r->set_min_safe_point(update.min.safe_point);
        if (!update.changed) return std::vector<meta::Op>();
        auto it = s.gc.services().find(request.service_id());
        if (it == s.gc.services().end()) return std::vector<meta::Op>{meta::Op::Delete(key)};
        const nlohmann::json stored = {{"service_id", it->first},
                                       {"expired_at", it->second.expired_at_s},
                                       {"safe_point", it->second.safe_point}};
        return std::vector<meta::Op>{meta::Op::Put(
            key, stored.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))};
      },
      [r, reply = std::move(reply)](absl::Status s) mutable {
        if (s.ok()) return reply.Send(*r);
        reply.Fail(absl::IsInvalidArgument(s) ? Unknown("{}", Message(s)) : s);
      });
}

void PdService::AdvanceTxnSafePoint(const pdpb::AdvanceTxnSafePointRequest& request,
                                    Reply<pdpb::AdvanceTxnSafePointResponse> reply) {
  auto r = std::make_shared<pdpb::AdvanceTxnSafePointResponse>();
  const auto sql = OldestTransactions();
  if (!sql.ok()) return reply.Fail(sql.status());
  cluster_->Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        ASSIGN_OR_RETURN(auto advance,
                         s.gc.AdvanceTxn(request.target(), cluster_->NowMs() / 1000, *sql));
        r->set_old_txn_safe_point(advance.old_point);
        r->set_new_txn_safe_point(advance.new_point);
        r->set_blocker_description(advance.blocker);
        return std::vector<meta::Op>{
            meta::Op::Put(cluster_->keys().TxnSafePoint(), std::to_string(advance.new_point))};
      },
      [r, reply = std::move(reply)](absl::Status s) mutable {
        s.ok() ? reply.Send(*r) : reply.Error(s);
      });
}

// TiDB servers tell under these keys from when on they need data.
absl::StatusOr<std::map<std::string, uint64_t>> PdService::OldestTransactions() const {
  constexpr std::string_view kPrefix = "/tidb/server/minstartts/";
  ASSIGN_OR_RETURN(meta::RangeResult found,
                   cluster_->host().meta->RangeLocal(meta::KeyRange::Prefix(std::string(kPrefix))));
  std::map<std::string, uint64_t> out;
  for (const meta::KeyValue& kv : found.kvs) {
    uint64_t ts = 0;
    const char* end = kv.value.data() + kv.value.size();
    if (std::from_chars(kv.value.data(), end, ts).ptr != end || ts == 0) continue;
    out["TiDBMinStartTS: " + kv.key.substr(kPrefix.size())] = ts;
  }
  return out;
}

void PdService::AdvanceGCSafePoint(const pdpb::AdvanceGCSafePointRequest& request,
                                   Reply<pdpb::AdvanceGCSafePointResponse> reply) {
  auto r = std::make_shared<pdpb::AdvanceGCSafePointResponse>();
  cluster_->Change(
      [&](ClusterState& s) -> absl::StatusOr<std::vector<meta::Op>> {
        ASSIGN_OR_RETURN(uint64_t old, s.gc.AdvanceGc(request.target()));
        r->set_old_gc_safe_point(old);
        r->set_new_gc_safe_point(request.target());
        return std::vector<meta::Op>{
            meta::Op::Put(cluster_->keys().GcSafePoint(), std::to_string(request.target()))};
      },
      [r, reply = std::move(reply)](absl::Status s) mutable {
        s.ok() ? reply.Send(*r) : reply.Error(s);
      });
}

}  // namespace tikv::pd
