// Cluster data in the JSON shapes of the admin API.
#pragma once

#include "pd/schedule/view.h"
#include "pd/service/http/api.h"

namespace tikv::pd {

Json StoreJson(const ClusterView& view, const StoreInfo& store);
Json RegionJson(const RegionInfo& region);
// {"count": n, "regions": [...]}
Json RegionsJson(const std::vector<RegionPtr>& regions);

}  // namespace tikv::pd
