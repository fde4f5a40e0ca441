// One replica of one Raft group.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/raft/config.h"
#include "lib/raft/log_storage.h"
#include "lib/raft/ready.h"
#include "lib/raft/status.h"

namespace tikv {
class Random;
}

namespace tikv::raft {

class Raft;

// Where a proposal went.
struct LogPosition {
  uint64_t term = 0;
  uint64_t index = 0;  // 0: forwarded to the leader, position unknown
};

// Raft as a pure object: calls in, Ready out.  No thread, no clock, no file; whoever owns it calls
// it from one thread at a time.  Semantics and message shapes are those of etcd's raft (held to
// its data-driven scripts), the wire types TiKV's.
//
// The loop of a shell:
//   Tick() at a fixed interval (no catching up after a stall: a burst of ticks would end leases
//   and elections early), Step() what arrives, Propose() what clients ask, and while HasReady():
//   TakeReady() and carry it out as ready.h says.  Several Readies may be under way; their
//   OnPersisted calls come in order, and so do their OnApplied calls.
//
// Errors: a message or a proposal that cannot be used is a status and changes nothing.  CHECK
// stops the process when an invariant of the protocol is broken (a lost log, an acknowledgement of
// something never asked for).
class RawNode {
 public:
  // `storage` and `random` are not owned and must outlive the node.  Fails when the storage's
  // initial state cannot be read or the configuration makes no sense.
  static absl::StatusOr<std::unique_ptr<RawNode>> Create(const Config& config, LogStorage* storage,
                                                         Random* random);
  ~RawNode();
  RawNode(const RawNode&) = delete;
  RawNode& operator=(const RawNode&) = delete;

  // ---- inputs ----

  // One interval has passed.  Cheap when nothing is due.
  void Tick();

  // The shell's monotonic time, in any unit but 0; heartbeats sent from now on carry it.  Set it
  // before Tick and Step: a stamp older than the sending is safe, a newer one is not.
  void SetStamp(uint64_t stamp);

  // A message from another replica.  InvalidArgument: a type that never travels.  NotFound: an
  // answer from a replica outside of the configuration.  Others as Propose (forwarded proposals).
  absl::Status Step(eraftpb::Message message);

  // Appends to the log if leader.  Unavailable: no leader here, or leadership is being handed
  // over.  ResourceExhausted: max_uncommitted_size is reached.
  absl::StatusOr<LogPosition> Propose(std::string data, std::string context = {});

  // A membership change.  As Propose, and FailedPrecondition (nothing is proposed) when the rules
  // forbid it now: another change is in the log unapplied, the joint state must be left first, or
  // there is none to leave.  An empty ConfChangeV2 leaves the joint state.
  absl::StatusOr<LogPosition> ProposeConfChange(const eraftpb::ConfChange& change);
  absl::StatusOr<LogPosition> ProposeConfChange(const eraftpb::ConfChangeV2& change);

  // The entry that holds `change` is being applied: the configuration is this from now on.
  // Returns it, to be stored with the applied index.  Not to be called when the state machine
  // rejected the change.  InvalidArgument: impossible from this configuration; nothing changed.
  absl::StatusOr<eraftpb::ConfState> ApplyConfChange(const eraftpb::ConfChange& change);
  absl::StatusOr<eraftpb::ConfState> ApplyConfChange(const eraftpb::ConfChangeV2& change);

  void Campaign();  // starts an election now, if it may
  void Ping();      // a leader sends a round of heartbeats now
  // A follower whose leader is known dead votes before its time-out.  REQUIRES: the leader's
  // process has ended; one that lives may hold a lease on this follower's silence.
  void ForgetLeader();

  // Asks that `to` becomes leader.  On a follower: forwards to the leader.  The leader refuses
  // proposals until `to` took over or one election_tick has passed.
  void TransferLeader(uint64_t to);

  // Asks for a read index; the answer comes in Ready::read_states with the same context, or never
  // (the shell asks again): no leader, lost messages, a new term.  `context` names the request.
  void ReadIndex(std::string context);

  void ReportUnreachable(uint64_t id);             // the last message to `id` did not arrive
  void ReportSnapshot(uint64_t id, bool success);  // a snapshot sent to `id` arrived or failed

  // ---- outputs ----

  bool HasReady() const;
  // Moves out what is to be done; the node counts it as under way.
  Ready TakeReady();

  // Everything this Ready and the earlier ones asked to write is durable; a snapshot among it
  // counts as applied from now on.  Returns the messages that may go to peers now.  Call it for
  // every Ready, also one that wrote nothing.
  std::vector<eraftpb::Message> OnPersisted(AfterPersist after);

  // Committed entries up to `index` are applied.
  void OnApplied(uint64_t index);

  // ---- leases and views ----

  // The newest stamp of which a quorum is known to have heard, as leader with an entry of this
  // term committed; 0 = no lease (not leader, nothing acknowledged, leadership being handed
  // over).  With check_quorum no other leader can be elected until election_tick - 1 full tick
  // intervals after it, so a lease ends that much (less clock drift) after this stamp.
  uint64_t LeaseStamp() const;

  bool IsLeader() const;
  uint64_t id() const;
  uint64_t leader() const;  // 0 = unknown
  Role role() const;
  uint64_t term() const;
  uint64_t commit() const;
  uint64_t applied() const;
  uint64_t last_index() const;
  bool CommittedInTerm() const;       // leader, and an entry of its own term is committed
  bool HasPendingConfChange() const;  // leader with a change in the log that may be unapplied
  uint64_t transferee() const;
  eraftpb::ConfState conf_state() const;
  Status GetStatus() const;

  // CHECKs what must always hold; for tests and simulation after every event.
  void CheckInvariants() const;
  // Replaces the random election time-out of the present term, in ticks; for tests.
  void SetElectionTimeout(int ticks);

 private:
  explicit RawNode(std::unique_ptr<Raft> raft);

  std::unique_ptr<Raft> raft_;
};

}  // namespace tikv::raft
