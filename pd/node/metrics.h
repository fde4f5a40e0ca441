// What the metadata store and the timestamp oracle count, under the names that PD's dashboards and
// alert rules know.
#pragma once

#include <memory>

namespace tikv::metrics {
class Registry;
}
namespace tikv::pd::meta {
class ReplicatedStore;
}
namespace tikv::pd::tso {
class Allocator;
}

namespace tikv::pd {

// Everything passed in must outlive the registry's last use.
class NodeMetrics {
 public:
  NodeMetrics(metrics::Registry* registry, meta::ReplicatedStore* store, tso::Allocator* tso);
};

}  // namespace tikv::pd
