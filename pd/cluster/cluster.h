// Cluster: the leader-only heart of PD.  Stores, regions, ids, configuration, scheduling.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/callback.h"
#include "lib/env/random.h"
#include "pd/cluster/keys.h"
#include "pd/cluster/region_cache.h"
#include "pd/cluster/state.h"
#include "pd/cluster/writer.h"
#include "pd/meta/meta_store.h"
#include "pd/port/host.h"
#include "pd/schedule/view.h"

namespace tikv::pd {

// Where orders to one store go: its region heartbeat stream.  Thread-safe.
class OrderSink {
 public:
  virtual ~OrderSink() = default;
  virtual void Send(const pdpb::RegionHeartbeatResponse& order) = 0;
};

// Thread-safe; nothing blocks but on a short lock.  Begins to serve when this member becomes
// leader and has loaded what was persisted, and ends with its leadership.  Callbacks run on the
// metadata store's threads or inside the call, never under the lock.
//
// Changes take effect in memory first, in one order, and are answered once they are durable: what a
// caller was told survives; what was not answered may or may not.  Whoever reads the state for
// somebody outside answers through WhenDurable, so that nobody sees what a failover takes back.  A
// change that fails while this member goes on leading is taken back in memory, too.
class Cluster : public meta::LeaderListener {
 public:
  using Done = Callback<absl::Status>;

  // `cache` may be null: then a new leader knows no region until stores report.  The host and what
  // it names must outlive the cluster.
  Cluster(const Host& host, std::unique_ptr<RegionCache> cache);
  ~Cluster() override;

  // Opens the region cache below the host's data directory and listens for leadership.  A cache
  // that does not open is done without; `warning` then says why.
  static std::unique_ptr<Cluster> Open(const Host& host, std::string* warning);

  void OnBecomeLeader(uint64_t term) override;
  void OnLoseLeadership(uint64_t term) override;

  const Host& host() const { return host_; }
  uint64_t cluster_id() const { return host_.meta->cluster_id(); }
  // Leads and has loaded its state.
  bool serving() const;
  bool bootstrapped() const { return serving() && bootstrapped_; }
  int64_t NowMs() const;

  // Runs f(ClusterState&) under the lock.  `f` must be quick and must not call the cluster.
  template <class F>
  auto With(F f) {
    std::lock_guard lock(mu_);
    return f(state_);
  }
  template <class F>
  auto WithView(F f) {
    std::lock_guard lock(mu_);
    return f(state_, View());
  }

  // OK once all that With could show before the call is durable: inside the call when nothing is
  // being written.  Unavailable "not leader" when it may not become so.
  void WhenDurable(Done done) { writer_.Settle(std::move(done)); }
  // Why this member leads without serving, "" when it serves or does not lead.
  std::string trouble() const;

  // --- Start of a cluster ---------------------------------------------------------------------
  // InvalidArgument for a bad request, AlreadyExists when there is a cluster.
  void Bootstrap(const metapb::Store& store, const metapb::Region& region, Done done);
  // The last of `count` consecutive ids.
  void AllocIds(uint64_t count, IdAllocator::Done done);

  // --- Stores ----------------------------------------------------------------------------------
  void PutStore(const metapb::Store& store, Done done);
  // Also fills cluster version and state of the reply.
  absl::Status StoreHeartbeat(const pdpb::StoreHeartbeatRequest& request,
                              pdpb::StoreHeartbeatResponse* reply);
  // Changes one store by `change`, then persists it.  Used by the admin API.
  void ChangeStore(StoreId id, std::function<absl::Status(ClusterState&)> change, Done done);
  // Forgets tombstones.  FailedPrecondition when one of them still holds regions.
  void RemoveTombstones(Done done);

  // --- Regions ---------------------------------------------------------------------------------
  // What is to be sent back on the stream.
  struct HeartbeatOutcome {
    absl::Status end;       // Not OK: ends the stream.
    std::string rejection;  // Not empty: an error reply of type UNKNOWN; the stream goes on.
    std::optional<pdpb::RegionHeartbeatResponse> order;
  };
  // Empties the request.
  HeartbeatOutcome RegionHeartbeat(pdpb::RegionHeartbeatRequest* request,
                                   const std::shared_ptr<OrderSink>& stream);
  void CloseStream(const OrderSink* stream);
  void DropRegion(RegionId id);
  void DropAllRegions();

  // One entry per new region.  NotFound, or InvalidArgument "invalid region epoch, ...".
  void AskBatchSplit(const metapb::Region& region, uint32_t count,
                     Callback<absl::StatusOr<std::vector<pdpb::SplitID>>> done);

  // --- Operators -------------------------------------------------------------------------------
  // Builds under the lock, takes the operator up and sends its first order.
  absl::Status AddOperator(
      const std::function<absl::StatusOr<Operator>(const ClusterView&, ClusterState&)>& build);

  // --- Settings --------------------------------------------------------------------------------
  // Changes the configuration and persists it.
  void ChangeConfig(const std::function<absl::Status(Config&)>& change, Done done);
  // Changes schedulers (also on and off) and persists configuration and their settings.
  void ChangeSchedulers(const std::function<absl::Status(ClusterState&)>& change, Done done);
  // Changes anything under the lock; `change` returns what is to be persisted.
  void Change(const std::function<absl::StatusOr<std::vector<meta::Op>>(ClusterState&)>& change,
              Done done);
  const Keys& keys() const { return *keys_; }  // REQUIRES: has served once.

 private:
  ClusterView View();
  // Loading, on the executor.
  void Load(uint64_t term);
  absl::Status LoadState(ClusterState* state);
  // What the metadata store holds; `first_region` is the bootstrap's, "" without one.
  absl::Status LoadRecords(ClusterState* state, std::string* first_region) const;
  absl::Status LoadRecord(const meta::KeyValue& kv, ClusterState* state) const;
  // A change failed: brings the state back to what the store holds, on the executor.
  void Restore();
  void FinishRestore(uint64_t term);
  void Trouble(const absl::Status& why);
  void LoadSchedulers(ClusterState* state, const std::map<std::string, std::string>& configs) const;
  void Unload(uint64_t term);

  // Scheduling, on the executor.
  void Tick();
  void CheckRegions();
  void RunSchedulers();
  void CheckStores();
  void TrackRemoval(const StoreInfo& store);  // REQUIRES: mu_ is held.
  void UpdatePrepared();
  void PauseLeaderMoves();
  void SendDueOrders();
  void TryCheck(const ClusterView& view, const RegionPtr& region);

  // Answers a refusal, which what is being written may be the reason for.
  void Refuse(absl::Status why, Done done);

  // Under the lock.
  void PersistStore(const StoreInfo& store, Done done);
  void RaiseClusterVersion();
  void ExtendIds();
  // The cluster exists from now on.  REQUIRES: mu_ is held.
  void Founded(const metapb::Cluster& cluster, const metapb::Store& first,
               const metapb::Region& region, int64_t now_s);
  meta::Op ConfigOp() const;

  const Host host_;
  std::unique_ptr<RegionCache> cache_;
  MetaWriter writer_;
  std::unique_ptr<Keys> keys_;
  std::atomic<uint64_t> term_{0};  // Served in; 0: not serving.
  std::atomic<bool> bootstrapped_{false};

  mutable std::mutex mu_;
  // Guarded by mu_:
  std::string trouble_;
  ClusterState state_;
  Random random_;
  std::map<uint64_t, std::shared_ptr<OrderSink>> streams_;  // By store.
  bool bootstrapping_ = false;
  std::vector<Done> bootstrap_losers_;  // Answered when the one under way has ended.

  // Of the executor only:
  std::string patrol_key_;
  int64_t next_store_check_ms_ = 0;
  int64_t next_flush_ms_ = 0;
};

}  // namespace tikv::pd
