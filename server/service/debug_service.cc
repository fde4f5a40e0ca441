#include "server/service/debug_service.h"

#include <fmt/core.h>

#include <memory>
#include <utility>

#include "lib/base/status.h"
#include "server/codec/keys.h"

namespace tikv::server {
namespace {

absl::StatusOr<engine::Cf> FindCf(std::string_view name) {
  const std::optional<engine::Cf> cf = engine::CfByName(name);
  if (!cf.has_value()) return tikv::InvalidArgument("no column family is named \"{}\"", name);
  return *cf;
}

absl::Status RequireKv(debugpb::DB db) {
  if (db == debugpb::KV) return absl::OkStatus();
  // The raft log is no key-value store here; RaftLog reads it.
  return tikv::InvalidArgument("only database KV can be asked for");
}

std::string Path(std::string_view name) { return fmt::format("/debugpb.Debug/{}", name); }

// Runs `work` where it may block.
template <class Response, class Work>
void RunOn(TaskRunner* runner, rpc::Responder<Response> responder, Work work) {
  auto shared = std::make_shared<rpc::Responder<Response>>(std::move(responder));
  const bool accepted =
      runner->TryPost([shared, work = std::move(work)]() mutable { shared->Finish(work()); });
  if (!accepted) shared->Fail(ResourceExhausted("too many requests wait"));
}

void AddProperty(std::string name, uint64_t value, debugpb::GetRegionPropertiesResponse* out) {
  debugpb::Property* property = out->add_props();
  property->set_name(std::move(name));
  property->set_value(std::to_string(value));
}

}  // namespace

void DebugService::Register(rpc::Server* server) {
  RegisterData(server);
  RegisterRegions(server);
  RegisterRegionFigures(server);
  RegisterStore(server);
}

void DebugService::RegisterData(rpc::Server* server) {
  rpc::Unary<debugpb::GetRequest, debugpb::GetResponse>(
      *server, Path("Get"),
      [this](const debugpb::GetRequest& request, const rpc::CallContext&,
             rpc::Responder<debugpb::GetResponse> responder) {
        RunOn(deps_.background, std::move(responder), [this, request] { return Get(request); });
      });
  rpc::Unary<debugpb::CompactRequest, debugpb::CompactResponse>(
      *server, Path("Compact"),
      [this](const debugpb::CompactRequest& request, const rpc::CallContext&,
             rpc::Responder<debugpb::CompactResponse> responder) {
        RunOn(deps_.background, std::move(responder),
              [this, request]() -> absl::StatusOr<debugpb::CompactResponse> {
                RETURN_IF_ERROR(Compact(request));
                return debugpb::CompactResponse();
              });
      });
  rpc::Unary<debugpb::GetRangePropertiesRequest, debugpb::GetRangePropertiesResponse>(
      *server, Path("GetRangeProperties"),
      [this](const debugpb::GetRangePropertiesRequest& request, const rpc::CallContext&,
             rpc::Responder<debugpb::GetRangePropertiesResponse> responder) {
        RunOn(deps_.background, std::move(responder),
              [this, request] { return RangeProperties(request); });
      });
}

void DebugService::RegisterRegions(rpc::Server* server) {
  rpc::Unary<debugpb::RegionInfoRequest, debugpb::RegionInfoResponse>(
      *server, Path("RegionInfo"),
      [this](const debugpb::RegionInfoRequest& request, const rpc::CallContext&,
             rpc::Responder<debugpb::RegionInfoResponse> responder) {
        deps_.admin->DescribeRegion(
            RegionId(request.region_id()),
            [responder = std::move(responder)](absl::StatusOr<RegionDetails> region) mutable {
              if (!region.ok()) return responder.Fail(region.status());
              debugpb::RegionInfoResponse response;
              *response.mutable_raft_local_state() = std::move(region->raft_local_state);
              *response.mutable_raft_apply_state() = std::move(region->raft_apply_state);
              *response.mutable_region_local_state() = std::move(region->region_local_state);
              responder.Reply(response);
            });
      });
  rpc::Unary<debugpb::RaftLogRequest, debugpb::RaftLogResponse>(
      *server, Path("RaftLog"),
      [this](const debugpb::RaftLogRequest& request, const rpc::CallContext&,
             rpc::Responder<debugpb::RaftLogResponse> responder) {
        deps_.admin->RaftEntry(
            RegionId(request.region_id()), request.log_index(),
            [responder = std::move(responder)](absl::StatusOr<eraftpb::Entry> entry) mutable {
              if (!entry.ok()) return responder.Fail(entry.status());
              debugpb::RaftLogResponse response;
              *response.mutable_entry() = *std::move(entry);
              responder.Reply(response);
            });
      });
  rpc::Unary<debugpb::GetAllRegionsInStoreRequest, debugpb::GetAllRegionsInStoreResponse>(
      *server, Path("GetAllRegionsInStore"),
      [this](const debugpb::GetAllRegionsInStoreRequest&, const rpc::CallContext&,
             rpc::Responder<debugpb::GetAllRegionsInStoreResponse> responder) {
        deps_.admin->ListRegions(
            [responder = std::move(responder)](std::vector<RegionId> regions) mutable {
              debugpb::GetAllRegionsInStoreResponse response;
              for (RegionId id : regions) response.add_regions(id.value);
              responder.Reply(response);
            });
      });
}

void DebugService::RegisterRegionFigures(rpc::Server* server) {
  rpc::Unary<debugpb::RegionSizeRequest, debugpb::RegionSizeResponse>(
      *server, Path("RegionSize"),
      [this](const debugpb::RegionSizeRequest& request, const rpc::CallContext&,
             rpc::Responder<debugpb::RegionSizeResponse> responder) {
        deps_.admin->DescribeRegion(RegionId(request.region_id()),
                                    [this, request, responder = std::move(responder)](
                                        absl::StatusOr<RegionDetails> region) mutable {
                                      if (!region.ok()) return responder.Fail(region.status());
                                      RunOn(deps_.background, std::move(responder),
                                            [this, request, region = *std::move(region)] {
                                              return RegionSize(request, region);
                                            });
                                    });
      });
  rpc::Unary<debugpb::GetRegionPropertiesRequest, debugpb::GetRegionPropertiesResponse>(
      *server, Path("GetRegionProperties"),
      [this](const debugpb::GetRegionPropertiesRequest& request, const rpc::CallContext&,
             rpc::Responder<debugpb::GetRegionPropertiesResponse> responder) {
        deps_.admin->DescribeRegion(
            RegionId(request.region_id()),
            [this, responder = std::move(responder)](absl::StatusOr<RegionDetails> region) mutable {
              if (!region.ok()) return responder.Fail(region.status());
              RunOn(deps_.background, std::move(responder),
                    [this, region = *std::move(region)] { return RegionProperties(region); });
            });
      });
}

void DebugService::RegisterStore(rpc::Server* server) {
  rpc::Unary<debugpb::GetStoreInfoRequest, debugpb::GetStoreInfoResponse>(
      *server, Path("GetStoreInfo"),
      [this](const debugpb::GetStoreInfoRequest&, const rpc::CallContext&,
             rpc::Responder<debugpb::GetStoreInfoResponse> responder) {
        debugpb::GetStoreInfoResponse response;
        response.set_store_id(deps_.store.value);
        response.set_api_version(static_cast<kvrpcpb::APIVersion>(deps_.api));
        responder.Reply(response);
      });
  rpc::Unary<debugpb::GetClusterInfoRequest, debugpb::GetClusterInfoResponse>(
      *server, Path("GetClusterInfo"),
      [this](const debugpb::GetClusterInfoRequest&, const rpc::CallContext&,
             rpc::Responder<debugpb::GetClusterInfoResponse> responder) {
        debugpb::GetClusterInfoResponse response;
        response.set_cluster_id(deps_.cluster.value);
        responder.Reply(response);
      });
  rpc::Unary<debugpb::GetMetricsRequest, debugpb::GetMetricsResponse>(
      *server, Path("GetMetrics"),
      [this](const debugpb::GetMetricsRequest&, const rpc::CallContext&,
             rpc::Responder<debugpb::GetMetricsResponse> responder) {
        RunOn(deps_.background, std::move(responder),
              [this]() -> absl::StatusOr<debugpb::GetMetricsResponse> {
                debugpb::GetMetricsResponse response;
                response.set_prometheus(deps_.metrics());
                std::string stats;
                for (const auto& [name, value] : deps_.engine->Stats()) {
                  stats += fmt::format("{}: {}\n", name, value);
                }
                response.set_rocksdb_kv(std::move(stats));
                response.set_store_id(deps_.store.value);
                return response;
              });
      });
}

absl::StatusOr<debugpb::GetResponse> DebugService::Get(const debugpb::GetRequest& request) const {
  RETURN_IF_ERROR(RequireKv(request.db()));
  ASSIGN_OR_RETURN(const engine::Cf cf, FindCf(request.cf()));
  debugpb::GetResponse response;
  ASSIGN_OR_RETURN(const bool found,
                   deps_.engine->Get(cf, request.key(), response.mutable_value()));
  if (!found) return tikv::NotFound("there is no such key in family {}", engine::CfName(cf));
  return response;
}

absl::Status DebugService::Compact(const debugpb::CompactRequest& request) const {
  RETURN_IF_ERROR(RequireKv(request.db()));
  ASSIGN_OR_RETURN(const engine::Cf cf, FindCf(request.cf()));
  return deps_.engine->CompactRange(cf, request.from_key(), request.to_key());
}

absl::StatusOr<debugpb::RegionSizeResponse> DebugService::RegionSize(
    const debugpb::RegionSizeRequest& request, const RegionDetails& details) const {
  const metapb::Region& region = details.region_local_state.region();
  debugpb::RegionSizeResponse response;
  for (const std::string& name : request.cfs()) {
    ASSIGN_OR_RETURN(const engine::Cf cf, FindCf(name));
    ASSIGN_OR_RETURN(
        const engine::RangeEstimate estimate,
        deps_.engine->Estimate(cf, DataKey(region.start_key()), DataEndKey(region.end_key())));
    auto* entry = response.add_entries();
    entry->set_cf(name);
    entry->set_size(estimate.bytes);
  }
  return response;
}

// The original's names.  Versions are not told apart here, so each entry counts as a row.
absl::StatusOr<debugpb::GetRegionPropertiesResponse> DebugService::RegionProperties(
    const RegionDetails& details) const {
  const metapb::Region& region = details.region_local_state.region();
  const std::string start = DataKey(region.start_key());
  const std::string end = DataEndKey(region.end_key());
  debugpb::GetRegionPropertiesResponse response;
  uint64_t writes = 0;
  for (engine::Cf cf : {engine::Cf::kDefault, engine::Cf::kWrite}) {
    ASSIGN_OR_RETURN(const engine::RangeEstimate estimate, deps_.engine->Estimate(cf, start, end));
    const std::string family = std::string(engine::CfName(cf)) + "cf.";
    AddProperty(family + "num_entries", estimate.keys, &response);
    AddProperty(family + "num_deletes", 0, &response);
    AddProperty(family + "num_files", estimate.bytes > 0 ? 1 : 0, &response);
    if (cf == engine::Cf::kWrite) writes = estimate.keys;
  }
  for (const char* name : {"num_rows", "num_puts", "num_versions"}) {
    AddProperty(fmt::format("mvcc.{}", name), writes, &response);
  }
  for (const char* name : {"min_ts", "max_ts", "num_deletes", "max_row_versions"}) {
    AddProperty(fmt::format("mvcc.{}", name), 0, &response);
  }
  return response;
}

absl::StatusOr<debugpb::GetRangePropertiesResponse> DebugService::RangeProperties(
    const debugpb::GetRangePropertiesRequest& request) const {
  debugpb::GetRangePropertiesResponse response;
  for (engine::Cf cf : engine::kDataCfs) {
    ASSIGN_OR_RETURN(
        const engine::RangeEstimate estimate,
        deps_.engine->Estimate(cf, DataKey(request.start_key()), DataEndKey(request.end_key())));
    const auto add = [&](std::string_view name, uint64_t value) {
      auto* property = response.add_properties();
      property->set_key(fmt::format("{}.{}", engine::CfName(cf), name));
      property->set_value(std::to_string(value));
    };
    add("num_entries", estimate.keys);
    add("approximate_size", estimate.bytes);
  }
  return response;
}

}  // namespace tikv::server
