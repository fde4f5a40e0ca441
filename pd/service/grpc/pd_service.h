// pdpb.PD.
#pragma once

#include <string>

#include "lib/rpc/typed.h"
#include "pd/cluster/cluster.h"
#include "pd/service/grpc/forward.h"
#include "pd/service/grpc/reply.h"
#include "proto/pdpb.pb.h"

namespace tikv::pd {

// What must hold before a handler is called.
enum CallRule : unsigned {
  kAnyMember = 0,
  kLeader = 1,         // Unavailable "not leader" on a follower.
  kClusterId = 2,      // FailedPrecondition "mismatch cluster id, ..." for another.
  kBootstrapped = 4,   // Header error NOT_BOOTSTRAPPED before.
  kFollowerReads = 8,  // A follower may serve it when the caller says so.
  kOrdinary = kLeader | kClusterId | kBootstrapped,
  kRegionRead = kOrdinary | kFollowerReads,
};

// One method per rpc: decodes, asks the cluster, encodes.  Decides nothing.  Handlers run on the
// server's loops.
class PdService {
 public:
  // Both must outlive the service, which must outlive the server.
  PdService(Cluster* cluster, const Forwarder* forwarder)
      : cluster_(cluster), forwarder_(forwarder) {}

  void Register(rpc::Server* server);

 private:
  template <class Request, class Response>
  using Method = void (PdService::*)(const Request&, Reply<Response>);

  template <class Request, class Response>
  void Unary(rpc::Server* server, const std::string& name, unsigned rules,
             Method<Request, Response> method);
  template <class Request, class Response>
  void Handle(unsigned rules, Method<Request, Response> method, rpc::UnaryCall& call,
              rpc::RawResponder responder);
  void Refuse(rpc::Server* server, const std::string& name);
  // Sends what was read of the cluster's state once all that it may show is durable.
  template <class Response>
  void SendRead(Reply<Response> reply, Response response);
  void RegisterMembers(rpc::Server* server);
  void RegisterStores(rpc::Server* server);
  void RegisterRegions(rpc::Server* server);
  void RegisterGc(rpc::Server* server);
  void RegisterBarriers(rpc::Server* server);
  void RegisterStreams(rpc::Server* server);

  // Members, ids and time.
  void GetMembers(const pdpb::GetMembersRequest&, Reply<pdpb::GetMembersResponse>);
  void GetClusterInfo(const pdpb::GetClusterInfoRequest&, Reply<pdpb::GetClusterInfoResponse>);
  void AllocID(const pdpb::AllocIDRequest&, Reply<pdpb::AllocIDResponse>);
  void GetMinTS(const pdpb::GetMinTSRequest&, Reply<pdpb::GetMinTSResponse>);
  void ReportMinResolvedTS(const pdpb::ReportMinResolvedTsRequest&,
                           Reply<pdpb::ReportMinResolvedTsResponse>);
  void SetExternalTimestamp(const pdpb::SetExternalTimestampRequest&,
                            Reply<pdpb::SetExternalTimestampResponse>);
  void GetExternalTimestamp(const pdpb::GetExternalTimestampRequest&,
                            Reply<pdpb::GetExternalTimestampResponse>);

  // Cluster and stores.
  void Bootstrap(const pdpb::BootstrapRequest&, Reply<pdpb::BootstrapResponse>);
  void IsBootstrapped(const pdpb::IsBootstrappedRequest&, Reply<pdpb::IsBootstrappedResponse>);
  void IsSnapshotRecovering(const pdpb::IsSnapshotRecoveringRequest&,
                            Reply<pdpb::IsSnapshotRecoveringResponse>);
  void GetClusterConfig(const pdpb::GetClusterConfigRequest&,
                        Reply<pdpb::GetClusterConfigResponse>);
  void PutClusterConfig(const pdpb::PutClusterConfigRequest&,
                        Reply<pdpb::PutClusterConfigResponse>);
  void PutStore(const pdpb::PutStoreRequest&, Reply<pdpb::PutStoreResponse>);
  void GetStore(const pdpb::GetStoreRequest&, Reply<pdpb::GetStoreResponse>);
  void GetAllStores(const pdpb::GetAllStoresRequest&, Reply<pdpb::GetAllStoresResponse>);
  void StoreHeartbeat(const pdpb::StoreHeartbeatRequest&, Reply<pdpb::StoreHeartbeatResponse>);

  // Regions and operators.
  void GetRegion(const pdpb::GetRegionRequest&, Reply<pdpb::GetRegionResponse>);
  void GetPrevRegion(const pdpb::GetRegionRequest&, Reply<pdpb::GetRegionResponse>);
  void GetRegionByID(const pdpb::GetRegionByIDRequest&, Reply<pdpb::GetRegionResponse>);
  void ScanRegions(const pdpb::ScanRegionsRequest&, Reply<pdpb::ScanRegionsResponse>);
  void BatchScanRegions(const pdpb::BatchScanRegionsRequest&,
                        Reply<pdpb::BatchScanRegionsResponse>);
  void AskSplit(const pdpb::AskSplitRequest&, Reply<pdpb::AskSplitResponse>);
  void AskBatchSplit(const pdpb::AskBatchSplitRequest&, Reply<pdpb::AskBatchSplitResponse>);
  void ReportSplit(const pdpb::ReportSplitRequest&, Reply<pdpb::ReportSplitResponse>);
  void ReportBatchSplit(const pdpb::ReportBatchSplitRequest&,
                        Reply<pdpb::ReportBatchSplitResponse>);
  void ScatterRegion(const pdpb::ScatterRegionRequest&, Reply<pdpb::ScatterRegionResponse>);
  void GetOperator(const pdpb::GetOperatorRequest&, Reply<pdpb::GetOperatorResponse>);

  // Garbage collection.
  void GetGCSafePoint(const pdpb::GetGCSafePointRequest&, Reply<pdpb::GetGCSafePointResponse>);
  void UpdateGCSafePoint(const pdpb::UpdateGCSafePointRequest&,
                         Reply<pdpb::UpdateGCSafePointResponse>);
  void UpdateServiceGCSafePoint(const pdpb::UpdateServiceGCSafePointRequest&,
                                Reply<pdpb::UpdateServiceGCSafePointResponse>);
  void GetGCState(const pdpb::GetGCStateRequest&, Reply<pdpb::GetGCStateResponse>);
  void AdvanceTxnSafePoint(const pdpb::AdvanceTxnSafePointRequest&,
                           Reply<pdpb::AdvanceTxnSafePointResponse>);
  void AdvanceGCSafePoint(const pdpb::AdvanceGCSafePointRequest&,
                          Reply<pdpb::AdvanceGCSafePointResponse>);

  absl::StatusOr<std::map<std::string, uint64_t>> OldestTransactions() const;
  void SetGCBarrier(const pdpb::SetGCBarrierRequest&, Reply<pdpb::SetGCBarrierResponse>);
  void DeleteGCBarrier(const pdpb::DeleteGCBarrierRequest&, Reply<pdpb::DeleteGCBarrierResponse>);
  void SetGlobalGCBarrier(const pdpb::SetGlobalGCBarrierRequest&,
                          Reply<pdpb::SetGlobalGCBarrierResponse>);
  void DeleteGlobalGCBarrier(const pdpb::DeleteGlobalGCBarrierRequest&,
                             Reply<pdpb::DeleteGlobalGCBarrierResponse>);
  void GetAllKeyspacesGCStates(const pdpb::GetAllKeyspacesGCStatesRequest&,
                               Reply<pdpb::GetAllKeyspacesGCStatesResponse>);

  Cluster* cluster_;
  const Forwarder* forwarder_;
};

// FailedPrecondition "mismatch cluster id, need N but got M" unless they are equal.
absl::Status CheckClusterId(uint64_t ours, uint64_t theirs);

template <class Request, class Response>
void PdService::Handle(unsigned rules, Method<Request, Response> method, rpc::UnaryCall& call,
                       rpc::RawResponder responder) {
  auto target = forwarder_->Target(call.context());
  if (!target.ok()) return responder.Fail(target.status());
  if (*target) return forwarder_->Unary(**target, call.TakeRequest(), std::move(responder));
  if ((rules & kLeader) != 0 && !cluster_->serving()) {
    if ((rules & kFollowerReads) != 0) {
      if (auto leader = forwarder_->LeaderForReads(call.context())) {
        return forwarder_->Unary(*leader, call.TakeRequest(), std::move(responder));
      }
    }
    return responder.Fail(absl::UnavailableError("not leader"));
  }
  Request request;
  if (absl::Status s = rpc::ParseMessage(call.request(), call.context().path(), &request);
      !s.ok()) {
    return responder.Fail(std::move(s));
  }
  const uint64_t id = cluster_->cluster_id();
  if ((rules & kClusterId) != 0) {
    if (absl::Status s = CheckClusterId(id, request.header().cluster_id()); !s.ok()) {
      return responder.Fail(std::move(s));
    }
  }
  Reply<Response> reply(rpc::Responder<Response>(std::move(responder)), id);
  if ((rules & kBootstrapped) != 0 && !cluster_->bootstrapped()) {
    return reply.HeaderError(pdpb::NOT_BOOTSTRAPPED, "cluster is not bootstrapped");
  }
  (this->*method)(request, std::move(reply));
}

template <class Response>
void PdService::SendRead(Reply<Response> reply, Response response) {
  cluster_->WhenDurable(
      [reply = std::move(reply), response = std::move(response)](absl::Status s) mutable {
        s.ok() ? reply.Send(std::move(response)) : reply.Fail(std::move(s));
      });
}

template <class Request, class Response>
void PdService::Unary(rpc::Server* server, const std::string& name, unsigned rules,
                      Method<Request, Response> method) {
  server->RegisterUnary("/pdpb.PD/" + name,
                        [this, rules, method](rpc::UnaryCall& call, rpc::RawResponder responder) {
                          Handle<Request, Response>(rules, method, call, std::move(responder));
                        });
}

}  // namespace tikv::pd
