// PD's metrics, by the names that dashboards and alerts know.
#pragma once

namespace tikv::metrics {
class Registry;
}

namespace tikv::pd {

class Cluster;

// Registers a collector that reads the cluster whenever metrics are asked for.  The cluster must
// outlive the registry.
void RegisterMetrics(Cluster* cluster, metrics::Registry* registry);

}  // namespace tikv::pd
