#include "client/driver/grpc_pd.h"

#include "lib/base/status.h"
#include "proto/pdpb.pb.h"

namespace tikv::client {
namespace {

// What sorts after every key: the region before it is the last one.
const std::string kAfterAll(16, '\xff');

absl::StatusOr<PdRegion> ToRegion(pdpb::GetRegionResponse response) {
  if (!response.has_region() || response.region().id() == 0) {
    return NotFound("PD knows no region for this key now");
  }
  return PdRegion{std::move(*response.mutable_region()), std::move(*response.mutable_leader())};
}

}  // namespace

void GrpcPd::GetRegion(std::string key, bool before, Callback<absl::StatusOr<PdRegion>> done) {
  // "The region just before a key": the one that holds the last key below it.  GetPrevRegion gives
  // the one before the key's own region, which is another when the key lies inside a region.
  if (before && key.empty()) key = kAfterAll;
  if (before && !key.empty()) {
    // The greatest key below `key` that PD can be asked for: cut a final zero byte, or step down.
    if (key.back() == '\0') {
      key.pop_back();
    } else {
      key.back() = static_cast<char>(static_cast<uint8_t>(key.back()) - 1);
      key += kAfterAll;
    }
  }
  pdpb::GetRegionRequest request;
  request.set_region_key(std::move(key));
  pdchannel::Call<pdpb::GetRegionResponse>(
      *channel_, "/pdpb.PD/GetRegion", std::move(request), timeout_,
      [done = std::move(done)](absl::StatusOr<pdpb::GetRegionResponse> response) mutable {
        if (!response.ok()) return std::move(done)(response.status());
        std::move(done)(ToRegion(*std::move(response)));
      });
}

void GrpcPd::GetStore(uint64_t id, Callback<absl::StatusOr<metapb::Store>> done) {
  pdpb::GetStoreRequest request;
  request.set_store_id(id);
  pdchannel::Call<pdpb::GetStoreResponse>(
      *channel_, "/pdpb.PD/GetStore", std::move(request), timeout_,
      [done = std::move(done)](absl::StatusOr<pdpb::GetStoreResponse> response) mutable {
        if (!response.ok()) return std::move(done)(response.status());
        std::move(done)(std::move(*response->mutable_store()));
      });
}

}  // namespace tikv::client
