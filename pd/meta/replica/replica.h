// One member's replica of the metadata: Raft, its log, the state machine, leases and leadership on
// one strand.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "lib/base/callback.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/env/file_system.h"
#include "lib/env/random.h"
#include "lib/raft/raw_node.h"
#include "lib/raftlog/raft_log.h"
#include "pd/meta/lessor.h"
#include "pd/meta/mvcc/state_machine.h"
#include "pd/meta/replica/log_storage.h"
#include "pd/meta/replica/transport.h"
#include "pd/meta/watch_hub.h"

namespace tikv::pd::meta {

// Identity, timing and bounds of one replica.
struct ReplicaOptions {
  uint64_t member_id = 0;
  uint64_t raft_cluster_id = 0;  // Of the header of etcd's responses.
  Duration tick = std::chrono::milliseconds(100);
  int election_ticks = 10;
  int heartbeat_ticks = 2;
  uint64_t quota_bytes = uint64_t{8} << 30;
  Duration compaction_retention = std::chrono::hours(1);
  // Entries kept for members that lag behind, unless the log grows beyond `max_log_bytes`.
  uint64_t keep_entries = 5'000;
  uint64_t max_log_bytes = uint64_t{512} << 20;
};

// What becomes of the replica itself; called on its strand.
class ReplicaEvents {
 public:
  virtual ~ReplicaEvents() = default;
  virtual void OnBecomeLeader(uint64_t term) = 0;
  virtual void OnLoseLeadership(uint64_t term) = 0;
  virtual void OnLeaderChanged(uint64_t leader) = 0;
  // Keys changed; the events are those of one revision.
  virtual void OnApplied(const std::vector<Event>& events) = 0;
  // The list of members changed, or everything (a snapshot was installed).
  virtual void OnMembersChanged() = 0;
  // The disk failed or holds nonsense: nothing works any more, the process should end.
  virtual void OnFailed(const absl::Status& status) = 0;
  // This member is no longer part of the cluster.
  virtual void OnRemoved() = 0;
};

// Passed in, all outliving the replica.
struct ReplicaDeps {
  Clock* clock = nullptr;
  Executor* strand = nullptr;
  FileSystem* fs = nullptr;
  engine::KvEngine* engine = nullptr;
  raftlog::RaftLog* log = nullptr;
  StateMachine* machine = nullptr;
  WatchHub* hub = nullptr;
  Transport* transport = nullptr;
  ReplicaEvents* events = nullptr;
  std::function<void(Duration)> on_log_written;  // How long a synced write took; may be empty.
};

// Cheap views of the present, for any thread.
struct ReplicaView {
  std::atomic<uint64_t> leader{0};
  std::atomic<uint64_t> term{0};
  std::atomic<uint64_t> leader_term{0};  // Announced leadership; 0: none.
  std::atomic<int64_t> lease_expiry{0};  // MonotonicTime; 0: no lease.
  std::atomic<uint64_t> commit{0};
  std::atomic<uint64_t> applied{0};
  std::atomic<bool> no_space{false};
  std::atomic<bool> voter{false};  // A member that joins becomes one once it has caught up.
};

enum class MembershipOp : uint8_t { kAdd = 1, kAddLearner = 2, kPromote = 3, kRemove = 4 };

// A membership change as the log carries it.
struct MembershipEntry {
  uint64_t request_id = 0;
  MembershipOp op = MembershipOp::kAdd;
  etcdserverpb::Member member;
};
// Thread-safe unless said otherwise; callbacks run on the strand (or inline, where noted).
class Replica final : public TransportReceiver {
 public:
  static absl::StatusOr<std::unique_ptr<Replica>> Create(ReplicaOptions options, ReplicaDeps deps,
                                                         uint64_t seed);
  ~Replica() override;

  // Begins ticking.
  void Start();

  // Replicates a command; on a follower through the leader.  With `leader_term` it is proposed
  // here in that term or refused.
  void Submit(CommandType type, const google::protobuf::MessageLite& request, uint64_t leader_term,
              Callback<absl::StatusOr<Response>> done);
  // OK once a read here sees everything that was answered before the call; inline when the lease
  // says so.
  void Linearize(Callback<absl::Status> done);
  // Through the leader, whose clock counts.  NotFound: no such lease.
  void RenewLease(int64_t id, Callback<absl::StatusOr<int64_t>> ttl);
  void LeaseRemaining(int64_t id, Callback<absl::StatusOr<int64_t>> seconds);
  void ChangeMembership(MembershipOp op, const etcdserverpb::Member& member,
                        Callback<absl::Status> done);
  void TransferLeader(uint64_t to, Callback<absl::Status> done);
  // To the best other voter.
  void Resign(Callback<absl::Status> done);

  const ReplicaView& view() const { return view_; }
  bool HoldsLease() const;
  uint64_t member_id() const { return options_.member_id; }
  const ReplicaOptions& options() const { return options_; }
  // A copy, as of the last change.
  std::map<uint64_t, etcdserverpb::Member> Members() const;
  std::set<uint64_t> Alarms() const;
  // Heard of within the last three seconds.
  bool IsAlive(uint64_t member) const;

  // --- TransportReceiver --------------------------------------------------------------------
  void OnFrame(uint64_t from, Frame frame) override;
  void OnSnapshot(eraftpb::Message message, std::string path) override;
  void OnUnreachable(uint64_t peer) override;
  void OnRemoved() override;
  bool WasRemoved(uint64_t member) override;

 private:
  using ReplyCallback = Callback<absl::StatusOr<std::string>>;

  // Somebody here waits for a command or membership change to be applied.
  struct Waiter {
    Callback<absl::StatusOr<Response>> done;
    MonotonicTime deadline;
    uint64_t index = 0;  // Where it was proposed; 0: not known yet.
    bool own_removal = false;
  };
  struct Call {
    ReplyCallback done;
    MonotonicTime deadline;
  };
  // Waits for a leader to be known.
  struct Unsent {
    CallMethod method;
    std::string payload;
    MonotonicTime deadline;
    ReplyCallback done;
  };
  struct Read {
    Callback<absl::Status> done;
    MonotonicTime deadline;
  };
  struct Transfer {
    uint64_t to = 0;
    Callback<absl::Status> done;
    MonotonicTime deadline;
  };

  Replica(ReplicaOptions options, ReplicaDeps deps, uint64_t seed);

  // --- The strand's own: replica.cc ---------------------------------------------------------
  void OnTick();
  void Housekeeping();
  void HandleFrame(uint64_t from, Frame frame);
  void Stamp();
  void Drive();  // Carries out what Raft has ready and updates the views.
  // Drive, once everything that is queued on the strand now has been looked at: one write for all.
  void DriveSoon();
  absl::Status CarryOut(raft::Ready ready);
  absl::Status Persist(const raft::Ready& ready);
  void SendAll(std::vector<eraftpb::Message> messages);
  void SendSnapshot(const eraftpb::Message& message);
  absl::Status InstallSnapshot(const eraftpb::Snapshot& snapshot);
  void UpdateLeadership();
  void LoseLeadership();
  void PublishLease();
  void Fail(const absl::Status& status);

  // --- replica_apply.cc ---------------------------------------------------------------------
  absl::Status ApplyEntry(const eraftpb::Entry& entry);
  absl::Status ApplyCommand(const eraftpb::Entry& entry);
  absl::Status ApplyMembershipEntry(const eraftpb::Entry& entry);
  void OnCommandApplied(const Command& command, Applied applied);
  void Complete(uint64_t request_id, absl::StatusOr<Response> response);
  void SettlePlace(const eraftpb::Entry& entry);
  void PublishMembers();
  void PublishPeers();

  // --- replica_calls.cc ---------------------------------------------------------------------
  void SendToLeader(CallMethod method, std::string payload, MonotonicTime deadline,
                    ReplyCallback done);
  void AskLease(CallMethod method, int64_t id, Callback<absl::StatusOr<int64_t>> seconds);
  void ServeCall(CallMethod method, const std::string& payload, ReplyCallback done);
  // `own`: a change of PD's own, which goes on when the quota keeps clients from writing.
  absl::StatusOr<std::string> ServePropose(const std::string& payload, bool own);
  void ServeMembership(const std::string& payload, ReplyCallback done);
  absl::StatusOr<std::string> ProposeMembership(const MembershipEntry& entry,
                                                const std::string& payload);
  // Our own removal: another leads first, so that it costs no election, and removes us then.
  void HandOverAndLeave(std::string payload, ReplyCallback done);
  void AskNextLeader(std::string payload, MonotonicTime deadline, ReplyCallback done);
  absl::Status ServeTransfer(uint64_t to);
  absl::Status CheckMembership(MembershipOp op, const etcdserverpb::Member& member);
  absl::Status CheckQuorumWithout(uint64_t member);
  void Begin(uint64_t request_id, CallMethod method, std::string payload, uint64_t leader_term,
             Callback<absl::StatusOr<Response>> done);
  void BeginTransfer(uint64_t to, Callback<absl::Status> done);
  void FinishTransfers();
  void OnProposed(uint64_t request_id, absl::StatusOr<std::string> position);
  void FlushUnsent();
  void ExpireWaiting();
  void AskReadIndex();
  void OnReadState(const raft::ReadState& state);
  void ReleaseReads();

  // --- replica_duties.cc: what the leader does by the clock ----------------------------------
  void RevokeExpiredLeases();
  void PromoteCaughtUp();
  void CheckQuota();
  void CompactHistory();
  void TruncateLog();
  void SubmitOwn(CommandType type, const google::protobuf::MessageLite& request);

  uint64_t NextRequestId() { return request_prefix_ | (next_request_.fetch_add(1) & 0xffffffffff); }
  MonotonicTime Deadline() const;
  uint64_t BestTransferee() const;
  bool leading() const { return view_.leader_term.load(std::memory_order_relaxed) != 0; }

  const ReplicaOptions options_;
  const ReplicaDeps deps_;
  ReplicaView view_;
  std::atomic<uint64_t> next_request_{1};
  uint64_t request_prefix_ = 0;  // Random per start: ids of different lives never meet.

  mutable std::mutex mutex_;  // Guards what other threads see of members.
  std::map<uint64_t, etcdserverpb::Member> members_;
  std::set<uint64_t> removed_;
  std::set<uint64_t> alarms_;
  std::map<uint64_t, MonotonicTime> heard_;

  // The strand's own.
  Random random_;
  LogStorage storage_;
  std::unique_ptr<raft::RawNode> node_;
  raftlog::LogBatch batch_;
  Lessor lessor_;
  bool failed_ = false;
  bool removed_self_ = false;
  bool driving_ = false;
  bool drive_posted_ = false;
  uint64_t ticks_ = 0;
  std::map<uint64_t, Waiter> waiters_;                        // By request id.
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> placed_;  // index -> term, request id.
  std::map<uint64_t, Call> calls_;
  uint64_t next_call_ = 1;
  std::deque<Unsent> unsent_;
  std::vector<Transfer> transfers_;
  std::vector<Read> waiting_reads_;  // Not asked for yet.
  std::vector<Read> asked_reads_;    // Under the read index asked for.
  uint64_t read_seq_ = 0;
  uint64_t read_asked_tick_ = 0;
  std::multimap<uint64_t, Read> confirmed_reads_;   // By the index they wait for.
  std::map<uint64_t, std::string> snapshot_files_;  // By index; waiting for Ready.
  std::deque<std::pair<MonotonicTime, int64_t>> revision_samples_;
  bool history_pending_ = false;
};

std::string EncodeMembership(const MembershipEntry& entry);
absl::StatusOr<MembershipEntry> DecodeMembership(std::string_view bytes);

}  // namespace tikv::pd::meta
