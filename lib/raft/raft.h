// The protocol behind RawNode.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/raft/config.h"
#include "lib/raft/log.h"
#include "lib/raft/membership.h"
#include "lib/raft/ready.h"
#include "lib/raft/roles.h"
#include "lib/raft/status.h"

namespace tikv {
class Random;
}

namespace tikv::raft {

// State and transitions of one replica.  One file per idea: raft.cc (construction, roles, ticks,
// sending), election.cc, leader.cc (proposals, replication, commit), follower.cc, reads.cc
// (heartbeat rounds, read index, leases), transfer.cc, reconfigure.cc, invariants.cc.
//
// A call that can end the leadership makes every reference into it dangle; such calls are the last
// thing their caller does.
class Raft {
 public:
  static absl::StatusOr<std::unique_ptr<Raft>> Create(const Config& config, LogStorage* storage,
                                                      Random* random);

  void Tick();
  // A message from another replica or, released by OnPersisted, from this one.
  absl::Status Step(eraftpb::Message& m);
  absl::Status Propose(eraftpb::Message& m);
  absl::Status CheckConfChange(const eraftpb::ConfChangeV2& change) const;
  absl::StatusOr<eraftpb::ConfState> ApplyConfChange(const eraftpb::ConfChangeV2& change);
  void Campaign();
  void ForgetLeader();
  void StartRound();
  void TransferLeader(uint64_t to);
  void ReadIndex(uint64_t from, std::string context);
  void ReportUnreachable(uint64_t id);
  void ReportSnapshot(uint64_t id, bool success);

  bool HasReady() const;
  Ready TakeReady();
  void Acknowledge(const AppendAck& ack);
  void AppliedTo(uint64_t index);

  uint64_t LeaseStamp() const;
  void CheckInvariants() const;

  const Config& config() const { return config_; }
  const Log& log() const { return log_; }
  const Membership& members() const { return members_; }
  uint64_t id() const { return config_.id; }
  uint64_t term() const { return term_; }
  uint64_t vote() const { return vote_; }
  uint64_t leader_id() const { return leader_; }
  Role role() const;
  bool CommittedInTerm() const;
  const Leadership* leadership() const {
    auto* l = std::get_if<std::unique_ptr<Leadership>>(&role_);
    return l != nullptr ? l->get() : nullptr;
  }
  void set_stamp(uint64_t stamp) { stamp_ = stamp; }
  void set_election_timeout(int ticks) { randomized_timeout_ = ticks; }

 private:
  enum class CampaignKind { kPreVote, kVote, kTransfer };

  Raft(const Config& config, Random* random, Log log, Membership members);
  absl::Status Load(const eraftpb::HardState& hard_state);

  // ---- raft.cc: roles ----
  Leadership* lead() { return const_cast<Leadership*>(leadership()); }
  Candidacy* candidacy() {
    auto* c = std::get_if<std::unique_ptr<Candidacy>>(&role_);
    return c != nullptr ? c->get() : nullptr;
  }
  void EnterTerm(uint64_t term);
  void BecomeFollower(uint64_t term, uint64_t leader);
  void BecomePreCandidate();
  void BecomeCandidate();
  void BecomeLeader();
  void TickLeader();
  bool Promotable() const;
  bool InLease() const;
  void Send(eraftpb::Message m);
  eraftpb::Message To(uint64_t to, eraftpb::MessageType type) const;
  absl::Status StepInTerm(eraftpb::Message& m);
  bool StepOtherTerm(const eraftpb::Message& m);  // true: nothing is left to do
  void StepLowerTerm(const eraftpb::Message& m);

  // ---- election.cc ----
  void Hup(CampaignKind kind);
  void StartCampaign(CampaignKind kind);
  bool HasUnappliedConfChange() const;
  void OnVoteRequest(const eraftpb::Message& m);
  void OnVoteResponse(const eraftpb::Message& m);
  void OnTimeoutNow(const eraftpb::Message& m);

  // ---- leader.cc ----
  absl::Status StepLeader(eraftpb::Message& m);
  absl::Status ProposeAsLeader(eraftpb::Message& m);
  bool AppendEntries(std::vector<eraftpb::Entry> entries);
  void OnAppendResponse(Progress& peer, const eraftpb::Message& m);
  void OnAppendRejected(Progress& peer, const eraftpb::Message& m);
  void OnAppendAccepted(Progress& peer, uint64_t index);
  bool SendAppend(Progress& peer, bool if_empty);
  bool SendSnapshot(Progress& peer);
  void BroadcastAppend();
  bool MaybeCommit();
  void CheckQuorum();

  // ---- follower.cc ----
  absl::Status StepFromLeader(eraftpb::Message& m);
  absl::Status OnAppend(eraftpb::Message& m);
  void RejectAppend(const eraftpb::Message& m);
  void OnHeartbeat(const eraftpb::Message& m);
  void OnSnapshot(eraftpb::Message& m);
  bool Restore(eraftpb::Snapshot snapshot);
  void ForwardToLeader(eraftpb::Message& m);

  // ---- reads.cc ----
  void SendHeartbeat(Progress& peer);
  void OnHeartbeatResponse(Progress& peer, const eraftpb::Message& m);
  void AnswerRead(uint64_t from, uint64_t index, std::string context);
  void MaybeStartReadRound();
  bool ReadsWaitForRound() const;
  uint64_t QuorumRound() const;

  // ---- transfer.cc ----
  void OnTransferRequest(uint64_t to);
  void MaybeFinishTransfer(const Progress& peer);
  void SendTimeoutNow(uint64_t to);

  // ---- reconfigure.cc ----
  std::optional<std::string> ConfChangeForbidden(const eraftpb::ConfChangeV2& change) const;
  void FilterConfChanges(eraftpb::Message& m);
  void SwitchTo(Membership members);
  void MaybeAutoLeave();

  Config config_;
  Random* random_;
  Log log_;
  Membership members_;

  uint64_t term_ = 0;
  uint64_t vote_ = 0;
  uint64_t leader_ = 0;
  RoleState role_;
  int election_elapsed_ = 0;
  int randomized_timeout_ = 0;
  bool hold_votes_ = false;  // see Config::restarted
  uint64_t stamp_ = 0;
  uint64_t seen_round_ = 0;  // newest heartbeat round of the leader of this term

  std::vector<eraftpb::Message> messages_;
  std::vector<eraftpb::Message> after_persist_;
  std::vector<ReadState> read_states_;

  // As of the last Ready.
  SoftState told_soft_;
  uint64_t told_term_ = 0;
  uint64_t told_vote_ = 0;
  uint64_t told_commit_ = 0;
};

// The heartbeat's context: a round and a stamp, echoed by the follower.
std::string EncodeRound(uint64_t round, uint64_t stamp);
// What a context that came back says; zeros: unknown.
struct Round {
  uint64_t round = 0;
  uint64_t stamp = 0;
};
std::optional<Round> DecodeRound(std::string_view context);

inline constexpr std::string_view kCampaignTransfer = "CampaignTransfer";

}  // namespace tikv::raft
