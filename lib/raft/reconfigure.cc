// Membership changes: which may be proposed, and what applying one does.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lib/base/status.h"
#include "lib/raft/raft.h"
#include "lib/raft/text.h"

namespace tikv::raft {
namespace {

std::string_view ChangeName(eraftpb::ConfChangeType type) {
  switch (type) {
    case eraftpb::AddNode:
      return "ConfChangeAddNode";
    case eraftpb::RemoveNode:
      return "ConfChangeRemoveNode";
    case eraftpb::AddLearnerNode:
      return "ConfChangeAddLearnerNode";
    default:
      return "ConfChangeUnknown";
  }
}

std::string_view TransitionName(eraftpb::ConfChangeTransition transition) {
  switch (transition) {
    case eraftpb::Implicit:
      return "ConfChangeTransitionJointImplicit";
    case eraftpb::Explicit:
      return "ConfChangeTransitionJointExplicit";
    default:
      return "ConfChangeTransitionAuto";
  }
}

std::string ChangeText(const eraftpb::ConfChangeV2& change) {
  std::vector<std::string> changes;
  for (const eraftpb::ConfChangeSingle& c : change.changes()) {
    changes.push_back(fmt::format("{{{} {}}}", ChangeName(c.change_type()), c.node_id()));
  }
  std::vector<int> context;
  for (char byte : change.context()) context.push_back(static_cast<unsigned char>(byte));
  return fmt::format("{{{} [{}] [{}]}}", TransitionName(change.transition()),
                     fmt::join(changes, " "), fmt::join(context, " "));
}

// The change that `entry` holds; nullopt when it holds none that can be read.
std::optional<eraftpb::ConfChangeV2> ParseChange(const eraftpb::Entry& entry) {
  eraftpb::ConfChangeV2 v2;
  if (entry.entry_type() == eraftpb::EntryConfChange) {
    eraftpb::ConfChange v1;
    if (!v1.ParseFromString(entry.data())) return std::nullopt;
    return ToV2(v1);
  }
  if (!v2.ParseFromString(entry.data())) return std::nullopt;
  return v2;
}

}  // namespace

std::optional<std::string> Raft::ConfChangeForbidden(const eraftpb::ConfChangeV2& change) const {
  const Leadership* l = leadership();
  if (l == nullptr || config_.disable_conf_change_validation) return std::nullopt;
  if (l->pending_conf_index > log_.applied()) {
    return fmt::format("possible unapplied conf change at index {} (applied to {})",
                       l->pending_conf_index, log_.applied());
  }
  const bool leaves = change.changes().empty();
  if (members_.joint() && !leaves) return "must transition out of joint config first";
  if (!members_.joint() && leaves) return "not in joint state; refusing empty conf change";
  return std::nullopt;
}

absl::Status Raft::CheckConfChange(const eraftpb::ConfChangeV2& change) const {
  if (auto why = ConfChangeForbidden(change)) return FailedPrecondition("raft: {}", *why);
  return absl::OkStatus();
}

void Raft::FilterConfChanges(eraftpb::Message& m) {
  for (int i = 0; i < m.entries_size(); ++i) {
    eraftpb::Entry* entry = m.mutable_entries(i);
    if (entry->entry_type() == eraftpb::EntryNormal) continue;
    const std::optional<eraftpb::ConfChangeV2> change = ParseChange(*entry);
    const std::optional<std::string> why =
        change.has_value() ? ConfChangeForbidden(*change) : "it cannot be read";
    if (!why.has_value()) {
      lead()->pending_conf_index = log_.last_index() + static_cast<uint64_t>(i) + 1;
      continue;
    }
    RAFT_TELL(config_.log, kInfo, "{:x} ignoring conf change {} at config {}: {}", id(),
              ChangeText(change.value_or(eraftpb::ConfChangeV2())), members_.Text(), *why);
    entry->Clear();  // travels as an empty entry: others of its message keep their places
  }
}

absl::StatusOr<eraftpb::ConfState> Raft::ApplyConfChange(const eraftpb::ConfChangeV2& change) {
  ASSIGN_OR_RETURN(Membership next, ApplyChange(members_, change));
  SwitchTo(std::move(next));
  return members_.ToConfState();
}

void Raft::SwitchTo(Membership members) {
  members_ = std::move(members);
  RAFT_TELL(config_.log, kInfo, "{:x} switched to configuration {}", id(), members_.Text());
  Leadership* l = lead();
  if (l == nullptr) return;
  l->peers.Reconcile(members_, std::max<uint64_t>(log_.last_index(), 1));
  if (!members_.IsVoter(id())) {
    if (config_.step_down_on_removal) BecomeFollower(term_, 0);
    return;
  }
  if (l->transferee != 0 && !members_.IsVoter(l->transferee)) l->transferee = 0;
  if (MaybeCommit()) {  // a smaller quorum may hold more already
    BroadcastAppend();
    return;
  }
  for (Progress& peer : l->peers.all()) {  // newcomers need not wait for a heartbeat
    if (peer.id != id()) SendAppend(peer, /*if_empty=*/false);
  }
}

void Raft::AppliedTo(uint64_t index) {
  const uint64_t payload = log_.AppliedTo(std::max(index, log_.applied()));
  if (Leadership* l = lead()) {
    // The count may be too small after a change of leader, never too large.
    l->uncommitted_bytes -= std::min(l->uncommitted_bytes, payload);
    MaybeAutoLeave();
  }
}

void Raft::MaybeAutoLeave() {
  if (!members_.auto_leave || log_.applied() < lead()->pending_conf_index) return;
  eraftpb::Message m;
  m.set_msg_type(eraftpb::MsgPropose);
  m.add_entries()->set_entry_type(eraftpb::EntryConfChangeV2);  // no data: an empty change
  const absl::Status s = ProposeAsLeader(m);
  // During a transfer it is refused; this is tried again with every applied entry, and a new
  // leader does the same.
  if (s.ok()) {
    RAFT_TELL(config_.log, kInfo, "initiating automatic transition out of joint configuration {}",
              members_.Text());
  } else {
    RAFT_TELL(config_.log, kDebug,
              "not initiating automatic transition out of joint configuration {}: {}",
              members_.Text(), Message(s));
  }
}

}  // namespace tikv::raft
