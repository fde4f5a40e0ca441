// What a follower does with what its leader sends.
#include <algorithm>
#include <iterator>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/raft/raft.h"
#include "lib/raft/text.h"

namespace tikv::raft {
namespace {

// Entries must follow (index, log_term) without a gap, with terms that never fall.
absl::Status ValidateAppend(const eraftpb::Message& m) {
  uint64_t index = m.index();
  uint64_t term = m.log_term();
  for (const eraftpb::Entry& entry : m.entries()) {
    if (entry.index() != ++index || entry.term() < term || entry.term() > m.term()) {
      return InvalidArgument("raft: append from {} holds entry {}/{} after {}/{}", m.from(),
                             entry.term(), entry.index(), term, index - 1);
    }
    term = entry.term();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Raft::StepFromLeader(eraftpb::Message& m) {
  if (lead() != nullptr) {
    return InvalidArgument("raft: {} claims to lead term {}, which this replica leads", m.from(),
                           m.term());
  }
  if (role() != Role::kFollower) {
    BecomeFollower(m.term(), m.from());  // the election is decided
  } else {
    election_elapsed_ = 0;
    if (leader_ != m.from()) seen_round_ = 0;
    leader_ = m.from();
  }
  switch (m.msg_type()) {
    case eraftpb::MsgAppend:
      return OnAppend(m);
    case eraftpb::MsgHeartbeat:
      OnHeartbeat(m);
      return absl::OkStatus();
    default:
      OnSnapshot(m);
      return absl::OkStatus();
  }
}

absl::Status Raft::OnAppend(eraftpb::Message& m) {
  RETURN_IF_ERROR(ValidateAppend(m));
  eraftpb::Message answer = To(m.from(), eraftpb::MsgAppendResponse);
  if (m.index() < log_.committed()) {
    // Old news.  What is committed agrees with every leader.
    answer.set_index(log_.committed());
    Send(std::move(answer));
    return absl::OkStatus();
  }
  if (!log_.Matches({m.index(), m.log_term()})) {
    RejectAppend(m);
    return absl::OkStatus();
  }
  const uint64_t last_new = m.index() + static_cast<uint64_t>(m.entries_size());
  const uint64_t conflict = log_.FindConflict(m.entries());
  if (conflict != 0) {
    if (conflict <= log_.committed()) {
      // Not to be repaired here; the leader or this log has lost committed entries.
      RAFT_TELL(config_.log, kError, "{:x} entry {} from {:x} conflicts with committed entry", id(),
                conflict, m.from());
      return DataLoss("raft: append from {} conflicts with committed entry {}", m.from(), conflict);
    }
    auto first = m.mutable_entries()->begin() + static_cast<int>(conflict - m.index() - 1);
    log_.Append(std::vector<eraftpb::Entry>(std::make_move_iterator(first),
                                            std::make_move_iterator(m.mutable_entries()->end())));
  }
  // Not beyond what this message vouches for: entries after it may be those of an older leader.
  log_.CommitTo(std::min(m.commit(), last_new));
  answer.set_index(last_new);
  Send(std::move(answer));
  return absl::OkStatus();
}

void Raft::RejectAppend(const eraftpb::Message& m) {
  RAFT_TELL(config_.log, kDebug,
            "{:x} [logterm: {}, index: {}] rejected MsgApp [logterm: {}, index: {}] from {:x}",
            id(), log_.TermOrZero(m.index()), m.index(), m.log_term(), m.index(), m.from());
  // The best guess where the logs agree: entries of a larger term than the leader has there cannot.
  const Log::Position hint = log_.FindAtMost(std::min(m.index(), log_.last_index()), m.log_term());
  eraftpb::Message answer = To(m.from(), eraftpb::MsgAppendResponse);
  answer.set_index(m.index());
  answer.set_reject(true);
  answer.set_reject_hint(hint.index);
  answer.set_log_term(hint.term);
  Send(std::move(answer));
}

void Raft::OnHeartbeat(const eraftpb::Message& m) {
  if (const auto round = DecodeRound(m.context())) {
    seen_round_ = std::max(seen_round_, round->round);
  }
  if (m.commit() > log_.last_index()) {
    // The leader counts on entries that this replica acknowledged and does not have.
    RAFT_TELL(config_.log, kError,
              "{:x} is told of commit {} by {:x}, but its log ends at {}: entries were lost", id(),
              m.commit(), m.from(), log_.last_index());
  } else {
    log_.CommitTo(m.commit());
  }
  eraftpb::Message answer = To(m.from(), eraftpb::MsgHeartbeatResponse);
  answer.set_context(m.context());
  Send(std::move(answer));
}

void Raft::OnSnapshot(eraftpb::Message& m) {
  const uint64_t index = m.snapshot().metadata().index();
  const uint64_t term = m.snapshot().metadata().term();
  const bool restored = Restore(std::move(*m.mutable_snapshot()));
  RAFT_TELL(config_.log, kInfo, "{:x} [commit: {}] {} snapshot [index: {}, term: {}]", id(),
            log_.committed(), restored ? "restored" : "ignored", index, term);
  eraftpb::Message answer = To(m.from(), eraftpb::MsgAppendResponse);
  answer.set_index(restored ? log_.last_index() : log_.committed());
  Send(std::move(answer));
}

bool Raft::Restore(eraftpb::Snapshot snapshot) {
  const Log::Position at{snapshot.metadata().index(), snapshot.metadata().term()};
  if (at.index <= log_.committed()) return false;
  absl::StatusOr<Membership> members = MembershipFrom(snapshot.metadata().conf_state());
  if (!members.ok() || !members->Has(id())) {
    RAFT_TELL(config_.log, kWarn, "{:x} refused a snapshot whose configuration is not its own: {}",
              id(), members.ok() ? members->Text() : std::string(Message(members.status())));
    return false;
  }
  if (log_.Matches(at)) {
    RAFT_TELL(config_.log, kInfo,
              "{:x} [commit: {}, lastindex: {}, lastterm: {}] fast-forwarded commit to snapshot "
              "[index: {}, term: {}]",
              id(), log_.committed(), log_.last().index, log_.last().term, at.index, at.term);
    log_.CommitTo(at.index);
    return false;
  }
  log_.Restore(std::move(snapshot));
  SwitchTo(*std::move(members));
  RAFT_TELL(
      config_.log, kInfo,
      "{:x} [commit: {}, lastindex: {}, lastterm: {}] restored snapshot [index: {}, term: {}]",
      id(), log_.committed(), log_.last().index, log_.last().term, at.index, at.term);
  return true;
}

void Raft::ForwardToLeader(eraftpb::Message& m) {
  m.set_to(leader_);
  Send(std::move(m));
}

void Raft::ForgetLeader() {
  if (role() != Role::kFollower) return;
  if (config_.read_only == ReadOnlyOption::kLeaseBased) {
    RAFT_TELL(config_.log, kError, "ignoring MsgForgetLeader due to ReadOnlyLeaseBased");
    return;
  }
  if (leader_ == 0) return;
  RAFT_TELL(config_.log, kInfo, "{:x} forgetting leader {:x} at term {}", id(), leader_, term_);
  leader_ = 0;
}

}  // namespace tikv::raft
