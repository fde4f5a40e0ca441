#include "pd/node/metrics.h"

#include "lib/metrics/metrics.h"
#include "pd/meta/replicated_store.h"
#include "pd/tso/allocator.h"

namespace tikv::pd {
namespace {

void CollectStore(meta::ReplicatedStore* store, metrics::Samples* out) {
  const meta::ReplicaView& view = store->replica().view();
  out->AddGauge("etcd_server_has_leader", "Whether a leader is known.", {},
                view.leader != 0 ? 1 : 0);
  out->AddGauge("etcd_server_quota_backend_bytes", "The most that the metadata may take.", {},
                static_cast<double>(store->replica().options().quota_bytes));
  auto size = store->engine().Estimate(engine::Cf::kDefault, {}, {});
  const double bytes = size.ok() ? static_cast<double>(size->bytes) : 0;
  out->AddGauge("etcd_mvcc_db_total_size_in_bytes", "Size of the metadata.", {}, bytes);
  out->AddGauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Size of the metadata.", {}, bytes);
  out->AddGauge("etcd_debugging_mvcc_current_revision", "Revision of the metadata.", {},
                static_cast<double>(store->revision()));
  for (const char* name : {"committedIndex", "appliedIndex", "term"}) {
    const std::string type = name;
    const uint64_t value = type == "term"           ? view.term.load()
                           : type == "appliedIndex" ? view.applied.load()
                                                    : view.commit.load();
    out->AddGauge("pd_server_etcd_state", "State of the metadata's Raft group.", {{"type", type}},
                  static_cast<double>(value));
  }
}

void CollectTso(const tso::Allocator* tso, metrics::Samples* out) {
  const tso::AllocatorStats& stats = tso->stats();
  auto event = [&](const char* type, const std::atomic<uint64_t>& n) {
    out->AddCounter("pd_tso_events", "What happened to the timestamp oracle.", {{"type", type}},
                    static_cast<double>(n.load(std::memory_order_relaxed)));
  };
  event("save", stats.saves);
  event("err_save_save_ts", stats.save_errors);
  event("system_time_slow", stats.clock_behind);
  event("logical_overflow", stats.exhausted);
}

}  // namespace

NodeMetrics::NodeMetrics(metrics::Registry* registry, meta::ReplicatedStore* store,
                         tso::Allocator* tso) {
  registry->AddCollector([store, tso](metrics::Samples* out) {
    CollectStore(store, out);
    CollectTso(tso, out);
  });
}

}  // namespace tikv::pd
