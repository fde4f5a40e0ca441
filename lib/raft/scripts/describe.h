// Entries, messages and Readies as the scripts write them.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "lib/raft/membership.h"
#include "lib/raft/ready.h"
#include "proto/eraftpb.pb.h"

namespace tikv::raft::scripts {

// "v1 l2 r3" as changes; "u4", an update of what lies outside of Raft, has a type unknown to it.
absl::StatusOr<Changes> ParseChanges(std::string_view text);

// A message of the scripts: between replicas, or between a replica and its writing or applying
// thread.
struct Letter {
  enum class Kind { kPeer, kAppend, kAppendAck, kApply, kApplyAck };

  Kind kind = Kind::kPeer;
  uint64_t to = 0;           // a replica
  eraftpb::Message message;  // of kPeer; of the others, what is printed of them
  AfterPersist after;        // of kAppendAck
  std::vector<Letter> responses;

  std::string_view type() const;
  // From or to one of the replica's own threads, or to itself.
  bool local() const { return kind != Kind::kPeer || message.from() == message.to(); }
};

std::string Describe(const Letter& letter);
std::string Describe(const eraftpb::Entry& entry);
std::string Describe(const std::vector<eraftpb::Entry>& entries);
// With `letters` as its messages.
std::string Describe(const Ready& ready, const std::vector<Letter>& letters);

}  // namespace tikv::raft::scripts
