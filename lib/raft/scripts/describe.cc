#include "lib/raft/scripts/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

#include "lib/base/status.h"
#include "lib/raft/text.h"

namespace tikv::raft::scripts {
namespace {

constexpr auto kUpdateNode = static_cast<eraftpb::ConfChangeType>(100);

std::string ChangesText(const Changes& changes) {
  std::string text;
  for (const eraftpb::ConfChangeSingle& change : changes) {
    if (!text.empty()) text += ' ';
    switch (change.change_type()) {
      case eraftpb::AddNode:
        text += 'v';
        break;
      case eraftpb::AddLearnerNode:
        text += 'l';
        break;
      case eraftpb::RemoveNode:
        text += 'r';
        break;
      default:
        text += 'u';
    }
    text += std::to_string(change.node_id());
  }
  return text;
}

std::string Quoted(std::string_view data) {
  std::string text = "\"";
  for (char c : data) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

std::string ConfStateText(const eraftpb::ConfState& s) {
  return fmt::format("Voters:[{}] VotersOutgoing:[{}] Learners:[{}] LearnersNext:[{}] AutoLeave:{}",
                     fmt::join(s.voters(), " "), fmt::join(s.voters_outgoing(), " "),
                     fmt::join(s.learners(), " "), fmt::join(s.learners_next(), " "),
                     s.auto_leave());
}

std::string SnapshotText(const eraftpb::Snapshot& s) {
  return fmt::format("Index:{} Term:{} ConfState:{}", s.metadata().index(), s.metadata().term(),
                     ConfStateText(s.metadata().conf_state()));
}

std::string HardStateText(const eraftpb::HardState& s) {
  std::string text = fmt::format("Term:{}", s.term());
  if (s.vote() != 0) text += fmt::format(" Vote:{}", s.vote());
  return text + fmt::format(" Commit:{}", s.commit());
}

// Who sends to whom.
std::string Route(const Letter& letter) {
  const std::string replica = fmt::format("{:x}", letter.to);
  switch (letter.kind) {
    case Letter::Kind::kAppend:
      return replica + "->AppendThread";
    case Letter::Kind::kAppendAck:
      return "AppendThread->" + replica;
    case Letter::Kind::kApply:
      return replica + "->ApplyThread";
    case Letter::Kind::kApplyAck:
      return "ApplyThread->" + replica;
    case Letter::Kind::kPeer:
      break;
  }
  return fmt::format("{:x}->{:x}", letter.message.from(), letter.message.to());
}

std::string DescribeAt(const std::string& indent, const Letter& letter) {
  const eraftpb::Message& m = letter.message;
  std::string text = fmt::format("{}{} {} Term:{} Log:{}/{}", indent, Route(letter), letter.type(),
                                 m.term(), m.log_term(), m.index());
  if (m.reject()) text += fmt::format(" Rejected (Hint: {})", m.reject_hint());
  if (m.commit() != 0) text += fmt::format(" Commit:{}", m.commit());
  // The vote that a writing thread is to store; no other letter has one.
  if (letter.kind == Letter::Kind::kAppend && m.from() != 0) {
    text += fmt::format(" Vote:{}", m.from());
  }
  if (m.entries_size() == 1) {
    text += " Entries:[" + Describe(m.entries(0)) + "]";
  } else if (m.entries_size() > 1) {
    text += " Entries:[";
    for (const eraftpb::Entry& entry : m.entries()) text += "\n" + indent + "  " + Describe(entry);
    text += "\n" + indent + "]";
  }
  if (m.snapshot().metadata().index() != 0) {
    text += "\n" + indent + "  Snapshot: " + SnapshotText(m.snapshot());
  }
  if (!letter.responses.empty()) {
    text += " Responses:[";
    for (const Letter& response : letter.responses) {
      text += "\n" + DescribeAt(indent + "  ", response);
    }
    text += "\n" + indent + "]";
  }
  return text;
}

}  // namespace

absl::StatusOr<Changes> ParseChanges(std::string_view text) {
  Changes changes;
  std::istringstream in{std::string(text)};
  for (std::string token; in >> token;) {
    eraftpb::ConfChangeSingle* change = changes.Add();
    switch (token.front()) {
      case 'v':
        change->set_change_type(eraftpb::AddNode);
        break;
      case 'l':
        change->set_change_type(eraftpb::AddLearnerNode);
        break;
      case 'r':
        change->set_change_type(eraftpb::RemoveNode);
        break;
      case 'u':
        change->set_change_type(kUpdateNode);
        break;
      default:
        return InvalidArgument("unknown input: {}", token);
    }
    change->set_node_id(std::stoull(token.substr(1)));
  }
  return changes;
}

std::string_view Letter::type() const {
  switch (kind) {
    case Kind::kAppend:
      return "MsgStorageAppend";
    case Kind::kAppendAck:
      return "MsgStorageAppendResp";
    case Kind::kApply:
      return "MsgStorageApply";
    case Kind::kApplyAck:
      return "MsgStorageApplyResp";
    case Kind::kPeer:
      break;
  }
  return MessageName(message.msg_type());
}

std::string Describe(const Letter& letter) { return DescribeAt("", letter); }

std::string Describe(const eraftpb::Entry& entry) {
  std::string type;
  std::string data;
  switch (entry.entry_type()) {
    case eraftpb::EntryConfChange: {
      type = "EntryConfChange";
      eraftpb::ConfChange change;
      if (change.ParseFromString(entry.data())) data = ChangesText(ToV2(change).changes());
      break;
    }
    case eraftpb::EntryConfChangeV2: {
      type = "EntryConfChangeV2";
      eraftpb::ConfChangeV2 change;
      if (change.ParseFromString(entry.data())) data = ChangesText(change.changes());
      break;
    }
    default:
      type = "EntryNormal";
      data = Quoted(entry.data());
  }
  return fmt::format("{}/{} {}{}{}", entry.term(), entry.index(), type, data.empty() ? "" : " ",
                     data);
}

std::string Describe(const std::vector<eraftpb::Entry>& entries) {
  std::string text;
  for (const eraftpb::Entry& entry : entries) text += Describe(entry) + "\n";
  return text;
}

std::string Describe(const Ready& ready, const std::vector<Letter>& letters) {
  std::string text;
  if (ready.soft_state) {
    text += fmt::format("Lead:{} State:{}\n", ready.soft_state->leader,
                        RoleName(ready.soft_state->role));
  }
  if (ready.hard_state) text += "HardState " + HardStateText(*ready.hard_state) + "\n";
  if (!ready.entries.empty()) text += "Entries:\n" + Describe(ready.entries);
  if (ready.snapshot) text += "Snapshot " + SnapshotText(*ready.snapshot) + "\n";
  if (!ready.committed_entries.empty()) {
    text += "CommittedEntries:\n" + Describe(ready.committed_entries);
  }
  if (!letters.empty()) {
    text += "Messages:\n";
    for (const Letter& letter : letters) text += Describe(letter) + "\n";
  }
  if (text.empty()) return "<empty Ready>";
  return fmt::format("Ready MustSync={}:\n{}", ready.must_sync, text);
}

}  // namespace tikv::raft::scripts
