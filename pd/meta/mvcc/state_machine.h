// The replicated state: keys, leases, members, alarms.  Commands in, responses and events out.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "lib/engine/engine.h"
#include "pd/meta/kv.h"
#include "pd/meta/mvcc/command.h"
#include "proto/eraftpb.pb.h"
#include "proto/etcdserverpb.pb.h"

namespace tikv::pd::meta {

class Writer;

using Response = std::variant<std::monostate, etcdserverpb::PutResponse,
                              etcdserverpb::DeleteRangeResponse, etcdserverpb::TxnResponse,
                              etcdserverpb::CompactionResponse, etcdserverpb::LeaseGrantResponse,
                              etcdserverpb::LeaseRevokeResponse, etcdserverpb::AlarmResponse>;

// What one command did.  `response` is the client's answer (headers hold the revision only).
struct Applied {
  absl::StatusOr<Response> response;
  std::vector<Event> events;  // All with the same revision.
};

// A member joins (or changes its role), or leaves; applied with the configuration change.
struct MembershipChange {
  uint64_t remove = 0;                      // Not 0: this member leaves.
  std::optional<etcdserverpb::Member> add;  // Joins, or is replaced.
};

// Deterministic: the same commands give the same state on every member, whatever its clock.
//
// Threads: Apply* and Compact* are for one thread.  Snapshot-taking reads (TakeSnapshot) and the
// atomic getters are thread-safe; so the responses to reads are made by their own threads.
//
// Errors: a request that is refused is part of the response.  A status returned by Apply* itself
// means that the disk failed: the state in memory is then ahead of nothing, and the caller must
// stop using the object.
class StateMachine {
 public:
  // Loads what is in the engine.  `engine` must outlive the object.
  static absl::StatusOr<std::unique_ptr<StateMachine>> Open(engine::KvEngine* engine);

  // --- Writing ------------------------------------------------------------------------------
  absl::StatusOr<Applied> Apply(uint64_t index, const Command& command);
  // The entry holds nothing for us.
  absl::Status ApplyNothing(uint64_t index);
  absl::Status ApplyMembership(uint64_t index, const eraftpb::ConfState& conf_state,
                               const MembershipChange& change);
  // The first state of a new cluster: the same on each of its first members.
  absl::Status Bootstrap(uint64_t index, const std::vector<etcdserverpb::Member>& members);
  // Disaster recovery: `member` alone is the cluster.
  absl::Status ForceSingle(uint64_t member);
  // Loads everything anew after `fill` has replaced what the engine holds; readers wait meanwhile.
  absl::Status Replace(absl::FunctionRef<absl::Status()> fill);
  // Removes up to `max_entries` entries of history that compaction made useless; true: there is
  // more.
  absl::StatusOr<bool> CompactSome(size_t max_entries);

  // --- Reading ------------------------------------------------------------------------------
  // A consistent state to read from without holding anybody up.
  struct ReadView {
    std::shared_ptr<const engine::Snapshot> snapshot;
    int64_t revision = 0;
    int64_t compact_revision = 0;

    // OK and the revision to read at, or the error for a revision that is gone or to come.
    absl::StatusOr<int64_t> Resolve(int64_t wanted) const;
  };
  ReadView TakeSnapshot() const;
  int64_t revision() const { return revision_.load(std::memory_order_acquire); }
  int64_t compact_revision() const { return compact_revision_.load(std::memory_order_acquire); }

  // Of the thread that applies.
  uint64_t applied_index() const { return applied_index_; }
  const eraftpb::ConfState& conf_state() const { return conf_state_; }
  const std::map<uint64_t, etcdserverpb::Member>& members() const { return members_; }
  const std::set<uint64_t>& removed() const { return removed_; }
  bool WasRemoved(uint64_t member) const { return removed_.contains(member); }
  const std::map<int64_t, int64_t>& leases() const { return leases_; }  // id -> TTL in seconds
  bool HasLease(int64_t id) const { return leases_.contains(id); }
  const std::set<uint64_t>& alarms() const { return alarms_; }

 private:
  explicit StateMachine(engine::KvEngine* engine) : engine_(engine) {}

  absl::Status Load();
  absl::Status LoadTables();
  absl::StatusOr<Response> Dispatch(const Command& command, Writer* writer);
  absl::StatusOr<Response> Put(const etcdserverpb::PutRequest& request, Writer* writer);
  absl::StatusOr<Response> DeleteRange(const etcdserverpb::DeleteRangeRequest& request,
                                       Writer* writer);
  absl::StatusOr<Response> Txn(const etcdserverpb::TxnRequest& request, Writer* writer);
  absl::StatusOr<Response> Compaction(const etcdserverpb::CompactionRequest& request);
  absl::StatusOr<Response> LeaseGrant(const etcdserverpb::LeaseGrantRequest& request);
  absl::StatusOr<Response> LeaseRevoke(const etcdserverpb::LeaseRevokeRequest& request,
                                       Writer* writer);
  absl::StatusOr<Response> Alarm(const etcdserverpb::AlarmRequest& request);
  absl::StatusOr<Response> MemberUpdate(const etcdserverpb::Member& member);
  void PutMember(const etcdserverpb::Member& member);
  absl::Status Write(uint64_t index, int64_t revision);

  engine::KvEngine* const engine_;
  engine::WriteBatch batch_;

  // Held while a write becomes visible and while a snapshot is taken, so that the two agree.
  mutable std::mutex visible_mutex_;
  std::atomic<int64_t> revision_{1};
  std::atomic<int64_t> compact_revision_{0};

  uint64_t applied_index_ = 0;
  int64_t compacted_to_ = 0;  // History up to here is physically gone.
  eraftpb::ConfState conf_state_;
  std::map<uint64_t, etcdserverpb::Member> members_;
  std::set<uint64_t> removed_;
  std::map<int64_t, int64_t> leases_;
  std::set<uint64_t> alarms_;          // Members that ran out of space.
  int64_t next_compact_revision_ = 0;  // Of the command being applied.
};

// All leases with their TTLs in seconds.
absl::StatusOr<std::map<int64_t, int64_t>> ReadLeases(const engine::Reader& reader);
// The keys attached to a lease, in order.
absl::StatusOr<std::vector<std::string>> AttachedKeys(const engine::Reader& reader, int64_t lease);

}  // namespace tikv::pd::meta
