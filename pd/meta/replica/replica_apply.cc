// Committed entries to the state machine, and their outcome to whoever waits.
#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/replica/replica.h"

namespace tikv::pd::meta {

std::string EncodeMembership(const MembershipEntry& entry) {
  std::string out;
  PutBig64(&out, entry.request_id);
  out.push_back(static_cast<char>(entry.op));
  entry.member.AppendPartialToString(&out);
  return out;
}

absl::StatusOr<MembershipEntry> DecodeMembership(std::string_view bytes) {
  MembershipEntry entry;
  if (bytes.size() < 9 ||
      !entry.member.ParseFromArray(bytes.data() + 9, static_cast<int>(bytes.size()) - 9)) {
    return DataLoss("a membership change does not parse");
  }
  entry.request_id = GetBig64(bytes);
  entry.op = static_cast<MembershipOp>(bytes[8]);
  return entry;
}

absl::Status Replica::ApplyEntry(const eraftpb::Entry& entry) {
  // The engine may be ahead of what Raft remembers as applied, after a crash.
  if (entry.index() <= deps_.machine->applied_index()) return absl::OkStatus();
  SettlePlace(entry);
  if (entry.entry_type() == eraftpb::EntryConfChange) return ApplyMembershipEntry(entry);
  CHECK(entry.entry_type() == eraftpb::EntryNormal) << "nobody proposes joint changes here";
  if (entry.data().empty()) return deps_.machine->ApplyNothing(entry.index());
  return ApplyCommand(entry);
}

// An entry of another term where ours was proposed: ours is lost.
void Replica::SettlePlace(const eraftpb::Entry& entry) {
  auto place = placed_.extract(entry.index());
  if (place.empty() || place.mapped().first == entry.term()) return;
  Complete(place.mapped().second, ErrLeaderChanged());
}

absl::Status Replica::ApplyCommand(const eraftpb::Entry& entry) {
  ASSIGN_OR_RETURN(Command command, DecodeCommand(entry.data()));
  ASSIGN_OR_RETURN(Applied applied, deps_.machine->Apply(entry.index(), command));
  OnCommandApplied(command, std::move(applied));
  return absl::OkStatus();
}

void Replica::OnCommandApplied(const Command& command, Applied applied) {
  // Read by others when they see the completion.
  view_.applied.store(deps_.machine->applied_index(), std::memory_order_release);
  if (!applied.events.empty()) {
    const int64_t revision = applied.events[0].kv.mod_revision;
    deps_.events->OnApplied(applied.events);
    deps_.hub->OnApplied(revision, std::move(applied.events));
  }
  if (applied.response.ok()) {
    if (command.type == CommandType::kLeaseGrant) {
      const auto& granted = std::get<etcdserverpb::LeaseGrantResponse>(*applied.response);
      lessor_.Grant(granted.id(), granted.ttl(), deps_.clock->Now());
    } else if (command.type == CommandType::kLeaseRevoke) {
      etcdserverpb::LeaseRevokeRequest request;
      if (request.ParseFromString(command.payload)) lessor_.Remove(request.id());
    } else if (command.type == CommandType::kCompaction) {
      history_pending_ = true;
    } else if (command.type == CommandType::kMemberUpdate) {
      PublishMembers();
      PublishPeers();
      deps_.events->OnMembersChanged();
    } else if (command.type == CommandType::kAlarm) {
      PublishMembers();
    }
  }
  Complete(command.request_id, std::move(applied.response));
}

absl::Status Replica::ApplyMembershipEntry(const eraftpb::Entry& entry) {
  eraftpb::ConfChange change;
  if (!change.ParseFromString(entry.data())) {
    return DataLoss("a membership change in the log does not parse");
  }
  ASSIGN_OR_RETURN(MembershipEntry decoded, DecodeMembership(change.context()));
  ASSIGN_OR_RETURN(eraftpb::ConfState conf, node_->ApplyConfChange(change));
  MembershipChange effect;
  const uint64_t id = decoded.member.id();
  if (decoded.op == MembershipOp::kRemove) {
    effect.remove = id;
  } else if (decoded.op == MembershipOp::kPromote) {
    // What the member has told of itself meanwhile stays.
    if (auto it = deps_.machine->members().find(id); it != deps_.machine->members().end()) {
      effect.add = it->second;
      effect.add->set_islearner(false);
    }
  } else {
    effect.add = decoded.member;
  }
  RETURN_IF_ERROR(deps_.machine->ApplyMembership(entry.index(), conf, effect));
  PublishMembers();
  PublishPeers();
  deps_.events->OnMembersChanged();
  Complete(decoded.request_id, Response());
  if (effect.remove == options_.member_id) OnRemoved();
  return absl::OkStatus();
}

void Replica::Complete(uint64_t request_id, absl::StatusOr<Response> response) {
  auto waiter = waiters_.extract(request_id);
  if (waiter.empty()) return;  // Another member's, or it timed out.
  if (waiter.mapped().index != 0) placed_.erase(waiter.mapped().index);
  std::move(waiter.mapped().done)(std::move(response));
}

void Replica::PublishMembers() {
  const eraftpb::ConfState conf = node_->conf_state();
  view_.voter.store(std::find(conf.voters().begin(), conf.voters().end(), options_.member_id) !=
                        conf.voters().end(),
                    std::memory_order_release);
  std::lock_guard lock(mutex_);
  members_ = deps_.machine->members();
  removed_ = deps_.machine->removed();
  alarms_ = deps_.machine->alarms();
  view_.no_space.store(!alarms_.empty(), std::memory_order_release);
}

void Replica::PublishPeers() {
  PeerUrls peers;
  for (const auto& [id, member] : deps_.machine->members()) {
    if (id == options_.member_id) continue;
    peers[id].assign(member.peerurls().begin(), member.peerurls().end());
  }
  // A member that just joined knows nobody until the first snapshot: the addresses it was given
  // at start stay.
  if (!deps_.machine->members().empty()) deps_.transport->SetPeers(peers);
}

std::map<uint64_t, etcdserverpb::Member> Replica::Members() const {
  std::lock_guard lock(mutex_);
  return members_;
}

std::set<uint64_t> Replica::Alarms() const {
  std::lock_guard lock(mutex_);
  return alarms_;
}

}  // namespace tikv::pd::meta
