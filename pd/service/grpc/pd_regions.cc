// pdpb.PD: region queries, splits, operators.
#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/schedule/builder.h"
#include "pd/schedule/filter.h"
#include "pd/service/grpc/pd_service.h"

namespace tikv::pd {

void PdService::RegisterRegions(rpc::Server* server) {
  Unary(server, "GetRegion", kRegionRead, &PdService::GetRegion);
  Unary(server, "GetPrevRegion", kRegionRead, &PdService::GetPrevRegion);
  Unary(server, "GetRegionByID", kRegionRead, &PdService::GetRegionByID);
  Unary(server, "ScanRegions", kRegionRead, &PdService::ScanRegions);
  Unary(server, "BatchScanRegions", kRegionRead, &PdService::BatchScanRegions);
  Unary(server, "AskSplit", kOrdinary, &PdService::AskSplit);
  Unary(server, "AskBatchSplit", kOrdinary, &PdService::AskBatchSplit);
  Unary(server, "ReportSplit", kOrdinary, &PdService::ReportSplit);
  Unary(server, "ReportBatchSplit", kOrdinary, &PdService::ReportBatchSplit);
  Unary(server, "ScatterRegion", kOrdinary, &PdService::ScatterRegion);
  Unary(server, "GetOperator", kOrdinary, &PdService::GetOperator);
  Refuse(server, "SplitRegions");
  Refuse(server, "SplitAndScatterRegions");
}

namespace {

// A region that is not known is a success without one.
void SendRegion(const RegionPtr& region, Reply<pdpb::GetRegionResponse> reply) {
  pdpb::GetRegionResponse r;
  if (region != nullptr) FillRegion(*region, &r);
  reply.Send(std::move(r));
}

}  // namespace

void PdService::GetRegion(const pdpb::GetRegionRequest& request,
                          Reply<pdpb::GetRegionResponse> reply) {
  SendRegion(cluster_->With([&](ClusterState& s) { return s.regions.ByKey(request.region_key()); }),
             std::move(reply));
}

void PdService::GetPrevRegion(const pdpb::GetRegionRequest& request,
                              Reply<pdpb::GetRegionResponse> reply) {
  SendRegion(cluster_->With([&](ClusterState& s) { return s.regions.Prev(request.region_key()); }),
             std::move(reply));
}

void PdService::GetRegionByID(const pdpb::GetRegionByIDRequest& request,
                              Reply<pdpb::GetRegionResponse> reply) {
  SendRegion(cluster_->With(
                 [&](ClusterState& s) { return s.regions.ById(RegionId(request.region_id())); }),
             std::move(reply));
}

void PdService::ScanRegions(const pdpb::ScanRegionsRequest& request,
                            Reply<pdpb::ScanRegionsResponse> reply) {
  auto regions = cluster_->With([&](ClusterState& s) {
    return s.regions.Scan(request.start_key(), request.end_key(), request.limit());
  });
  pdpb::ScanRegionsResponse r;
  for (const RegionPtr& region : regions) {
    *r.add_region_metas() = region->meta;
    *r.add_leaders() = region->leader;
    FillRegion(*region, r.add_regions());
  }
  reply.Send(std::move(r));
}

void PdService::BatchScanRegions(const pdpb::BatchScanRegionsRequest& request,
                                 Reply<pdpb::BatchScanRegionsResponse> reply) {
  std::vector<KeyRange> ranges;
  for (const auto& range : request.ranges())
    ranges.emplace_back(range.start_key(), range.end_key());
  auto regions = cluster_->With([&](ClusterState& s) {
    return s.regions.BatchScan(ranges, request.limit(), request.contain_all_key_range());
  });
  if (!regions.ok()) {
    return reply.Error(regions.status(), absl::IsOutOfRange(regions.status())
                                             ? pdpb::REGIONS_NOT_CONTAIN_ALL_KEY_RANGE
                                             : pdpb::UNKNOWN);
  }
  pdpb::BatchScanRegionsResponse r;
  for (const RegionPtr& region : *regions) FillRegion(*region, r.add_regions());
  reply.Send(std::move(r));
}

void PdService::AskSplit(const pdpb::AskSplitRequest& request,
                         Reply<pdpb::AskSplitResponse> reply) {
  if (!request.has_region()) {
    return reply.HeaderError(pdpb::REGION_NOT_FOUND, "missing region for split");
  }
  cluster_->AskBatchSplit(
      request.region(), 1,
      [reply = std::move(reply)](absl::StatusOr<std::vector<pdpb::SplitID>> ids) mutable {
        if (!ids.ok()) return reply.Error(ids.status());
        pdpb::AskSplitResponse r;
        r.set_new_region_id(ids->front().new_region_id());
        *r.mutable_new_peer_ids() = ids->front().new_peer_ids();
        reply.Send(std::move(r));
      });
}

void PdService::AskBatchSplit(const pdpb::AskBatchSplitRequest& request,
                              Reply<pdpb::AskBatchSplitResponse> reply) {
  if (!request.has_region()) {
    return reply.HeaderError(pdpb::REGION_NOT_FOUND, "missing region for split");
  }
  cluster_->AskBatchSplit(
      request.region(), request.split_count(),
      [reply = std::move(reply)](absl::StatusOr<std::vector<pdpb::SplitID>> ids) mutable {
        if (!ids.ok()) return reply.Error(ids.status());
        pdpb::AskBatchSplitResponse r;
        for (auto& id : *ids) *r.add_ids() = std::move(id);
        reply.Send(std::move(r));
      });
}

namespace {

// What a split reports is told again by the heartbeats of its parts; only its shape is checked.
template <class Regions>
absl::Status CheckSplit(const Regions& regions) {
  if (regions.size() < 2) return InvalidArgument("invalid split region");
  for (int i = 1; i < regions.size(); ++i) {
    if (regions[i - 1].end_key() != regions[i].start_key() || regions[i].start_key().empty()) {
      return InvalidArgument("invalid split region: {} does not end where the next starts",
                             regions[i - 1].id());
    }
  }
  return absl::OkStatus();
}

}  // namespace

void PdService::ReportSplit(const pdpb::ReportSplitRequest& request,
                            Reply<pdpb::ReportSplitResponse> reply) {
  google::protobuf::RepeatedPtrField<metapb::Region> both;
  if (request.has_left()) *both.Add() = request.left();
  if (request.has_right()) *both.Add() = request.right();
  reply.Finish(CheckSplit(both));
}

void PdService::ReportBatchSplit(const pdpb::ReportBatchSplitRequest& request,
                                 Reply<pdpb::ReportBatchSplitResponse> reply) {
  reply.Finish(CheckSplit(request.regions()));
}

namespace {

// Spreads a region's lead: to the peer whose store leads least.  False for an unknown region.
bool Scatter(Cluster* cluster, uint64_t id) {
  absl::Status s = cluster->AddOperator(
      [&](const ClusterView& view, ClusterState& state) -> absl::StatusOr<Operator> {
        RegionPtr region = state.regions.ById(RegionId(id));
        if (region == nullptr) return NotFound("region {} not found", id);
        const metapb::Peer* to = BestLeader(view, *region, nullptr);
        if (to == nullptr) return FailedPrecondition("nothing to scatter");
        return MoveLeader(view, region, StoreId(to->store_id()), "scatter-region", kOpAdmin);
      });
  return !absl::IsNotFound(s);
}

}  // namespace

void PdService::ScatterRegion(const pdpb::ScatterRegionRequest& request,
                              Reply<pdpb::ScatterRegionResponse> reply) {
  constexpr int kMaxRegions = 100'000;
  pdpb::ScatterRegionResponse r;
  if (request.regions_id_size() > kMaxRegions) {
    return reply.HeaderError(pdpb::UNKNOWN, "too many regions");
  }
  if (request.regions_id_size() == 0) {
    if (!Scatter(cluster_, request.region_id())) {
      return reply.HeaderError(pdpb::REGION_NOT_FOUND,
                               fmt::format("region {} not found", request.region_id()));
    }
    r.set_finished_percentage(100);
    return reply.Send(std::move(r));
  }
  for (uint64_t id : request.regions_id()) {
    if (!Scatter(cluster_, id)) r.add_failed_regions_id(id);
  }
  const int found = request.regions_id_size() - r.failed_regions_id_size();
  if (found == 0) return reply.Fail(Unknown("[PD:region:ErrRegionNotFound]region %v not found"));
  r.set_finished_percentage(100ULL * found / request.regions_id_size());
  reply.Send(std::move(r));
}

void PdService::GetOperator(const pdpb::GetOperatorRequest& request,
                            Reply<pdpb::GetOperatorResponse> reply) {
  pdpb::GetOperatorResponse r;
  const bool found = cluster_->With([&](ClusterState& s) {
    const Operator* op = s.operators.Latest(RegionId(request.region_id()));
    if (op == nullptr) return false;
    r.set_region_id(op->region.value);
    r.set_desc(op->desc);
    r.set_kind(KindText(op->kind));
    r.set_status(WireStatus(op->status));
    return true;
  });
  if (!found) return reply.HeaderError(pdpb::REGION_NOT_FOUND, "Not Found");
  reply.Send(std::move(r));
}

}  // namespace tikv::pd
