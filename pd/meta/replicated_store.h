// MetaStore on a replica: what services and PD's own parts see of the metadata.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pd/meta/meta_store.h"
#include "pd/meta/replica/replica.h"
#include "pd/meta/storage.h"

namespace tikv::pd::meta {

// What is fixed for the life of the process.
struct StoreOptions {
  // What this member tells the others of itself.
  std::string name;
  std::vector<std::string> client_urls;
  std::vector<std::string> peer_urls;
  std::string binary_version;
  std::string git_hash;
  std::string deploy_path;

  ReplicaOptions replica;  // Ids are filled in from the storage.
  Duration priority_check_interval = std::chrono::seconds(10);
};

// What the store works with; all outlive it.
struct StoreDeps {
  Clock* clock = nullptr;
  FileSystem* fs = nullptr;
  Executor* strand = nullptr;        // Of the replica and of listeners' calls.
  Executor* watch_strand = nullptr;  // Of watches' sinks.
  Transport* transport = nullptr;
  Storage* storage = nullptr;                    // Initialized.
  std::function<void(Duration)> on_log_written;  // How long a synced write took; may be empty.
  // The process should end: the disk failed, or this member was removed.  On the strand.
  std::function<void(const absl::Status&)> on_fatal;
};

// Everything passed in outlives the object; both strands are stopped before it is destroyed.
class ReplicatedStore final : public MetaStore, private ReplicaEvents {
 public:
  static absl::StatusOr<std::unique_ptr<ReplicatedStore>> Create(StoreOptions options,
                                                                 StoreDeps deps, uint64_t seed);
  ~ReplicatedStore() override;
  void Start();

  // Until `serves` says so, this member does not name itself as the leader: clients that find the
  // leader expect it to answer.  Before Start; called from any thread.
  void SetServes(std::function<bool()> serves) { serves_ = std::move(serves); }

  // --- For the etcd services ----------------------------------------------------------------
  Replica& replica() { return *replica_; }
  StateMachine& machine() { return *deps_.storage->machine(); }
  WatchHub& hub() { return *hub_; }
  engine::KvEngine& engine() { return *deps_.storage->engine(); }
  // Cluster, member, term; the revision too when the response has none yet.
  void FillHeader(etcdserverpb::ResponseHeader* header) const;

  // --- MetaStore ----------------------------------------------------------------------------
  void Range(KeyRange range, RangeOptions options,
             Callback<absl::StatusOr<RangeResult>> done) override;
  absl::StatusOr<RangeResult> RangeLocal(const KeyRange& range,
                                         const RangeOptions& options) override;
  void Commit(Txn txn, Callback<absl::StatusOr<TxnResult>> done) override;
  std::unique_ptr<WatchHandle> Watch(WatchOptions options,
                                     std::function<void(WatchBatch)> sink) override;
  int64_t revision() const override;

  bool IsLeader() const override;
  uint64_t leader_term() const override;
  MonotonicTime lease_expiry() const override;
  std::optional<Member> Leader() const override;
  void AddLeaderListener(LeaderListener* listener) override;
  void TransferLeader(MemberId to, Callback<absl::Status> done) override;
  void Resign(Callback<absl::Status> done) override;

  uint64_t cluster_id() const override { return cluster_id_.load(std::memory_order_acquire); }
  Member Self() const override;
  std::vector<Member> Members() const override;
  void RemoveMember(MemberId id, Callback<absl::Status> done) override;
  void SetLeaderPriority(MemberId id, int32_t priority, Callback<absl::Status> done) override;
  bool IsHealthy(MemberId id) const override;

 private:
  ReplicatedStore(StoreOptions options, StoreDeps deps);

  // ReplicaEvents, on the strand.
  void OnBecomeLeader(uint64_t term) override;
  void OnLoseLeadership(uint64_t term) override;
  void OnLeaderChanged(uint64_t leader) override;
  void OnApplied(const std::vector<Event>& events) override;
  void OnMembersChanged() override;
  void OnFailed(const absl::Status& status) override;
  void OnRemoved() override;

  // On the strand.
  void LoadClusterId();
  void ChooseClusterId(uint64_t term);
  void Announce(uint64_t term);
  void OnTimer();
  void Introduce();
  void PutAttributes();
  void YieldToPriority();

  std::string MemberRoot(MemberId id) const;
  Member ToMember(const etcdserverpb::Member& member) const;
  void ReadAttributes(std::vector<Member>* members) const;

  const StoreOptions options_;
  const StoreDeps deps_;
  std::function<bool()> serves_;
  std::unique_ptr<WatchHub> hub_;
  std::unique_ptr<Replica> replica_;
  std::atomic<uint64_t> cluster_id_{0};
  std::atomic<uint64_t> announced_term_{0};

  // The strand's own.
  Random random_;
  std::vector<LeaderListener*> listeners_;
  bool introducing_ = false;
  bool introduced_ = false;
  bool attributes_put_ = false;
  MonotonicTime next_priority_check_;
};

}  // namespace tikv::pd::meta
