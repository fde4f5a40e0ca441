// Who belongs to a group, and the rules by which that may change.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "lib/raft/quorum.h"
#include "proto/eraftpb.pb.h"

namespace tikv::raft {

// A configuration as a value.  Joint while `outgoing` is not empty: decisions then need a majority
// of `voters` (the incoming ones) and one of `outgoing`.
//
// Invariants: learners are in neither set of voters; learners_next is a part of outgoing (voters
// on their way out who stay as learners) and empty unless joint; so is auto_leave.
struct Membership {
  IdSet voters;
  IdSet outgoing;
  IdSet learners;
  IdSet learners_next;
  bool auto_leave = false;  // the leader leaves the joint state as soon as it is applied

  bool joint() const { return !outgoing.empty(); }
  bool IsVoter(uint64_t id) const { return Contains(voters, id) || Contains(outgoing, id); }
  bool IsLearner(uint64_t id) const { return Contains(learners, id); }
  bool Has(uint64_t id) const { return IsVoter(id) || IsLearner(id); }
  IdSet AllVoters() const;  // of both halves
  IdSet All() const;

  // "voters=(1 2)&&(1) learners=(4) learners_next=(1) autoleave"
  std::string Text() const;
  eraftpb::ConfState ToConfState() const;
  friend bool operator==(const Membership&, const Membership&) = default;
};

// InvalidArgument when the invariants do not hold.
absl::StatusOr<Membership> MembershipFrom(const eraftpb::ConfState& state);

using Changes = google::protobuf::RepeatedPtrField<eraftpb::ConfChangeSingle>;

// Each gives the configuration after the changes, or InvalidArgument.  Changes of node 0, of an
// unknown type, or to what is so already have no effect.
//
// At most one voter may differ, so that any two majorities, before and after, overlap.
absl::StatusOr<Membership> SimpleChange(const Membership& from, const Changes& changes);
// Any number; the present voters stay as the outgoing half.
absl::StatusOr<Membership> EnterJoint(const Membership& from, bool auto_leave,
                                      const Changes& changes);
absl::StatusOr<Membership> LeaveJoint(const Membership& from);

// The right one of the three for `change`.
absl::StatusOr<Membership> ApplyChange(const Membership& from, const eraftpb::ConfChangeV2& change);

eraftpb::ConfChangeV2 ToV2(const eraftpb::ConfChange& change);
bool LeavesJoint(const eraftpb::ConfChangeV2& change);

}  // namespace tikv::raft
