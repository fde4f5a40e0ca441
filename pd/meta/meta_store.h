// MetaStore: PD's replicated metadata, and with it the one election of PD.  The member that leads
// the store's Raft group is the PD leader.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/callback.h"
#include "lib/env/clock.h"
#include "pd/meta/kv.h"

namespace tikv::pd::meta {

using MemberId = uint64_t;

// One member of PD, as the replicated list and PD's own keys describe it.
struct Member {
  MemberId id = 0;
  std::string name;  // Empty until the member has started for the first time.
  std::vector<std::string> peer_urls;
  std::vector<std::string> client_urls;
  bool is_learner = false;
  int32_t leader_priority = 0;
  std::string binary_version;
  std::string deploy_path;
  std::string git_hash;
};

// Told of this member's leadership.  Calls come one at a time on the store's own thread and must
// not block: post to a thread of yours.  Reads (RangeLocal) and writes are allowed.
class LeaderListener {
 public:
  virtual ~LeaderListener() = default;
  // This member leads in `term`, and every change of earlier terms has been applied here, so that
  // RangeLocal sees all of them.
  virtual void OnBecomeLeader(uint64_t term) = 0;
  // `term` is over for this member.  Follows every OnBecomeLeader, unless the process dies.
  virtual void OnLoseLeadership(uint64_t term) = 0;
};

// What to watch, from when on.
struct WatchOptions {
  KeyRange range;
  int64_t start_revision = 0;  // 0: from the next change on.
  bool prev_kv = false;
};

// Changes in order, or the end of the watch.
struct WatchBatch {
  int64_t revision = 0;          // Of the last event.
  std::vector<Event> events;     // Whole transactions, in order of revision.
  int64_t compact_revision = 0;  // Not 0: history before it is gone and the watch has ended.
};

// A running watch; destroying it ends it (a call of the sink may be under way and finish).
class WatchHandle {
 public:
  virtual ~WatchHandle() = default;
};

// Thread-safe.  Callbacks run on the store's own threads and must not block.
//
// Errors: Unavailable "not leader" (a guarded change), Unavailable "etcdserver: no leader",
// DeadlineExceeded "etcdserver: request timed out" (the change may or may not have happened),
// ResourceExhausted "etcdserver: mvcc: database space exceeded", OutOfRange for a compacted or
// future revision.
class MetaStore {
 public:
  virtual ~MetaStore() = default;

  // --- Data ---------------------------------------------------------------------------------
  // Sees every change that was answered before the call, on any member.
  virtual void Range(KeyRange range, RangeOptions options,
                     Callback<absl::StatusOr<RangeResult>> done) = 0;
  // This member's state, perhaps late on a follower.  May read from disk.
  virtual absl::StatusOr<RangeResult> RangeLocal(const KeyRange& range,
                                                 const RangeOptions& options = {}) = 0;
  // Any member accepts changes and passes them to the leader, unless they carry a leader_term.
  virtual void Commit(Txn txn, Callback<absl::StatusOr<TxnResult>> done) = 0;
  // The sink is called on one thread, batch after batch, and never again after a batch with a
  // compact_revision.
  virtual std::unique_ptr<WatchHandle> Watch(WatchOptions options,
                                             std::function<void(WatchBatch)> sink) = 0;
  virtual int64_t revision() const = 0;

  // --- Leadership ---------------------------------------------------------------------------
  // Leads, has applied all of earlier terms, and its lease is valid now.
  virtual bool IsLeader() const = 0;
  // The term led in, 0 when not leading.
  virtual uint64_t leader_term() const = 0;
  // Until when nobody else can lead, by the store's clock (Clock::Now); 0 when not leading.
  virtual MonotonicTime lease_expiry() const = 0;
  // As far as this member knows.
  virtual std::optional<Member> Leader() const = 0;
  // Called back at once when this member leads already.  `listener` must outlive the store.
  virtual void AddLeaderListener(LeaderListener* listener) = 0;
  // To the named member.  FailedPrecondition when it cannot take over, "not leader" when we don't.
  virtual void TransferLeader(MemberId to, Callback<absl::Status> done) = 0;
  // To any other voter that is up to date; FailedPrecondition when there is none.
  virtual void Resign(Callback<absl::Status> done) = 0;

  // --- Members ------------------------------------------------------------------------------
  virtual uint64_t cluster_id() const = 0;  // 0 until the first leader has chosen it.
  virtual Member Self() const = 0;
  virtual std::vector<Member> Members() const = 0;  // By id.
  // NotFound for an unknown id; Unavailable "etcdserver: unhealthy cluster" when it would cost
  // the majority.
  virtual void RemoveMember(MemberId id, Callback<absl::Status> done) = 0;
  virtual void SetLeaderPriority(MemberId id, int32_t priority, Callback<absl::Status> done) = 0;
  // Whether the member has been heard of within the last seconds (itself: always).
  virtual bool IsHealthy(MemberId id) const = 0;
};

// "/pd/<cluster id>/", before all of PD's own keys but the cluster id.
std::string KeyRoot(uint64_t cluster_id);

}  // namespace tikv::pd::meta
