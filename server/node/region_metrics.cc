#include "server/node/region_metrics.h"

#include <atomic>

#include "server/raftstore/store/raft_store.h"

namespace tikv::server {
namespace {

double Value(const std::atomic<uint64_t>& counter) {
  return static_cast<double>(counter.load(std::memory_order_relaxed));
}

void Collect(const RaftStoreStats& stats, metrics::Samples* samples) {
  constexpr const char* kRegions = "tikv_raftstore_region_count";
  samples->AddGauge(kRegions, "Regions here.", {{"type", "region"}}, Value(stats.regions));
  samples->AddGauge(kRegions, "Regions here.", {{"type", "leader"}}, Value(stats.leaders));
  constexpr const char* kProposals = "tikv_raftstore_proposal_total";
  samples->AddCounter(kProposals, "Proposals.", {{"type", "normal"}}, Value(stats.writes));
  samples->AddCounter(kProposals, "Proposals.", {{"type", "read_index"}}, Value(stats.reads));
  samples->AddCounter("tikv_raftstore_raft_ready_handled_total", "Rounds of the raft thread.",
                      {{"type", "has_ready_region"}}, Value(stats.rounds));
  samples->AddCounter("tikv_channel_full_total", "Requests refused by a full queue.",
                      {{"type", "raftstore"}}, Value(stats.refused));
  constexpr const char* kTraffic = "tikv_raftstore_snapshot_traffic_total";
  samples->AddGauge(kTraffic, "Snapshots under way.", {{"type", "sending"}},
                    Value(stats.sending_snapshots));
  samples->AddGauge(kTraffic, "Snapshots under way.", {{"type", "receiving"}},
                    Value(stats.receiving_snapshots));
  samples->AddGauge(kTraffic, "Snapshots under way.", {{"type", "applying"}},
                    Value(stats.applying_snapshots));
  samples->AddCounter("tikv_server_raft_message_recv_total", "Messages of other stores.", {},
                      Value(stats.messages_received));
}

}  // namespace

RegionMetrics::RegionMetrics(const RaftStoreStats* stats, metrics::Registry* registry)
    : registry_(registry), id_(registry->AddCollector([stats](metrics::Samples* samples) {
        Collect(*stats, samples);
      })) {}

RegionMetrics::~RegionMetrics() { registry_->RemoveCollector(id_); }

}  // namespace tikv::server
