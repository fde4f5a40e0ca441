#include "lib/raft/membership.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "lib/base/status.h"

namespace tikv::raft {
namespace {

IdSet Union(const IdSet& a, const IdSet& b) {
  IdSet out;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

bool Disjoint(const IdSet& a, const IdSet& b) {
  return std::none_of(a.begin(), a.end(), [&](uint64_t id) { return Contains(b, id); });
}

size_t CountDifferent(const IdSet& a, const IdSet& b) {
  IdSet out;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out.size();
}

IdSet SortedIds(const google::protobuf::RepeatedField<uint64_t>& ids) {
  IdSet out(ids.begin(), ids.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string IdText(const IdSet& ids) { return fmt::format("({})", fmt::join(ids, " ")); }

absl::Status Validate(const Membership& m) {
  if (!Disjoint(m.learners, m.voters) || !Disjoint(m.learners, m.outgoing)) {
    return InvalidArgument("a learner is also a voter: {}", m.Text());
  }
  for (uint64_t id : m.learners_next) {
    if (!Contains(m.outgoing, id) || Contains(m.voters, id)) {
      return InvalidArgument("{} cannot become a learner next: {}", id, m.Text());
    }
  }
  if (!m.joint() && m.auto_leave) return InvalidArgument("autoleave without a joint state");
  return absl::OkStatus();
}

void MakeLearner(Membership* m, uint64_t id) {
  if (m->IsLearner(id)) return;
  Erase(&m->voters, id);
  // A voter of the outgoing half still votes until the joint state is left.
  Insert(Contains(m->outgoing, id) ? &m->learners_next : &m->learners, id);
}

void MakeVoter(Membership* m, uint64_t id) {
  Erase(&m->learners, id);
  Erase(&m->learners_next, id);
  Insert(&m->voters, id);
}

void Remove(Membership* m, uint64_t id) {
  Erase(&m->voters, id);
  Erase(&m->learners, id);
  Erase(&m->learners_next, id);
}

absl::StatusOr<Membership> WithChanges(Membership m, const Changes& changes) {
  for (const eraftpb::ConfChangeSingle& change : changes) {
    const uint64_t id = change.node_id();
    if (id == 0) continue;
    switch (change.change_type()) {
      case eraftpb::AddNode:
        MakeVoter(&m, id);
        break;
      case eraftpb::AddLearnerNode:
        MakeLearner(&m, id);
        break;
      case eraftpb::RemoveNode:
        Remove(&m, id);
        break;
      default:
        break;
    }
  }
  if (m.voters.empty()) return InvalidArgument("removed all voters");
  RETURN_IF_ERROR(Validate(m));
  return m;
}

}  // namespace

IdSet Membership::AllVoters() const { return Union(voters, outgoing); }
IdSet Membership::All() const { return Union(AllVoters(), learners); }

std::string Membership::Text() const {
  std::string text = "voters=" + IdText(voters);
  if (joint()) text += "&&" + IdText(outgoing);
  if (!learners.empty()) text += " learners=" + IdText(learners);
  if (!learners_next.empty()) text += " learners_next=" + IdText(learners_next);
  if (auto_leave) text += " autoleave";
  return text;
}

eraftpb::ConfState Membership::ToConfState() const {
  eraftpb::ConfState state;
  for (uint64_t id : voters) state.add_voters(id);
  for (uint64_t id : learners) state.add_learners(id);
  for (uint64_t id : outgoing) state.add_voters_outgoing(id);
  for (uint64_t id : learners_next) state.add_learners_next(id);
  state.set_auto_leave(auto_leave);
  return state;
}

absl::StatusOr<Membership> MembershipFrom(const eraftpb::ConfState& state) {
  Membership m;
  m.voters = SortedIds(state.voters());
  m.outgoing = SortedIds(state.voters_outgoing());
  m.learners = SortedIds(state.learners());
  m.learners_next = SortedIds(state.learners_next());
  m.auto_leave = state.auto_leave();
  RETURN_IF_ERROR(Validate(m));
  return m;
}

absl::StatusOr<Membership> SimpleChange(const Membership& from, const Changes& changes) {
  if (from.joint()) return InvalidArgument("can't apply simple config change in joint config");
  ASSIGN_OR_RETURN(Membership to, WithChanges(from, changes));
  if (CountDifferent(from.voters, to.voters) > 1) {
    return InvalidArgument("more than one voter changed without entering joint config");
  }
  return to;
}

absl::StatusOr<Membership> EnterJoint(const Membership& from, bool auto_leave,
                                      const Changes& changes) {
  if (from.joint()) return InvalidArgument("config is already joint");
  if (from.voters.empty()) return InvalidArgument("can't make a zero-voter config joint");
  Membership to = from;
  to.outgoing = to.voters;
  to.auto_leave = auto_leave;
  return WithChanges(std::move(to), changes);
}

absl::StatusOr<Membership> LeaveJoint(const Membership& from) {
  if (!from.joint()) return InvalidArgument("can't leave a non-joint config");
  Membership to = from;
  to.learners = Union(to.learners, to.learners_next);
  to.learners_next.clear();
  to.outgoing.clear();
  to.auto_leave = false;
  RETURN_IF_ERROR(Validate(to));
  return to;
}

absl::StatusOr<Membership> ApplyChange(const Membership& from,
                                       const eraftpb::ConfChangeV2& change) {
  if (LeavesJoint(change)) return LeaveJoint(from);
  // More than one change could sometimes do without, but telling when costs more than it saves.
  if (change.transition() != eraftpb::Auto || change.changes_size() > 1) {
    return EnterJoint(from, change.transition() != eraftpb::Explicit, change.changes());
  }
  return SimpleChange(from, change.changes());
}

eraftpb::ConfChangeV2 ToV2(const eraftpb::ConfChange& change) {
  eraftpb::ConfChangeV2 v2;
  eraftpb::ConfChangeSingle* single = v2.add_changes();
  single->set_change_type(change.change_type());
  single->set_node_id(change.node_id());
  v2.set_context(change.context());
  return v2;
}

bool LeavesJoint(const eraftpb::ConfChangeV2& change) {
  return change.transition() == eraftpb::Auto && change.changes_size() == 0;
}

}  // namespace tikv::raft
