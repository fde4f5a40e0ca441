#include "pd/cluster/state.h"

#include <algorithm>

namespace tikv::pd {

SchedulerEntry* ClusterState::FindScheduler(std::string_view name) {
  auto it = std::find_if(schedulers.begin(), schedulers.end(),
                         [&](const SchedulerEntry& e) { return e.scheduler->name() == name; });
  return it == schedulers.end() ? nullptr : &*it;
}

bool ClusterState::Initialized() const {
  if (regions.size() != 1) return regions.size() > 1;
  RegionPtr only = regions.ByKey("");
  return only != nullptr && only->reported && only->Healthy() &&
         static_cast<uint64_t>(only->meta.peers_size()) >= config.replication().max_replicas;
}

}  // namespace tikv::pd
