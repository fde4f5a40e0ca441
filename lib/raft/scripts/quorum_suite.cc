// Commands "committed" and "vote": majority decisions, drawn as a table.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lib/raft/quorum.h"
#include "lib/raft/scripts/script.h"
#include "lib/raft/scripts/suites.h"

namespace tikv::raft::scripts {
namespace {

struct Question {
  IdSet incoming;
  IdSet outgoing;
  bool joint = false;
  std::vector<uint64_t> order;              // voters in the order of their mention
  std::map<uint64_t, std::string> answers;  // without those given as "_"
};

IdSet AllIds(const Question& q) {
  IdSet all = q.incoming;
  for (uint64_t id : q.outgoing) Insert(&all, id);
  return all;
}

Question Parse(const Step& step) {
  Question q;
  const auto add = [&q](const Arg& arg, IdSet* set) {
    for (const std::string& value : arg.values) {
      if (value == "zero") continue;
      const uint64_t id = std::stoull(value);
      Insert(set, id);
      if (std::find(q.order.begin(), q.order.end(), id) == q.order.end()) q.order.push_back(id);
    }
  };
  if (const Arg* cfg = step.Find("cfg")) add(*cfg, &q.incoming);
  if (const Arg* cfgj = step.Find("cfgj")) {
    q.joint = true;
    add(*cfgj, &q.outgoing);
  }
  const Arg* values = step.Find(step.command == "vote" ? "votes" : "idx");
  for (size_t i = 0; values != nullptr && i < values->values.size() && i < q.order.size(); ++i) {
    if (values->values[i] != "_") q.answers[q.order[i]] = values->values[i];
  }
  return q;
}

std::string NumberText(uint64_t index) {
  return index == kUnbounded ? "\u221e" : std::to_string(index);
}

// Each voter's index with a bar as long as the number of voters behind it; of equal ones only the
// first has it.
std::string Table(const IdSet& ids, AckedFn acked) {
  if (ids.empty()) return "<empty majority quorum>";
  std::string out = std::string(ids.size(), ' ') + "    idx\n";
  for (uint64_t id : ids) {
    const std::optional<uint64_t> index = acked(id);
    size_t behind = 0;
    bool first = true;
    for (uint64_t other : ids) {
      const uint64_t its = acked(other).value_or(0);
      behind += its < index.value_or(0) ? 1 : 0;
      first &= its != index.value_or(0) || other >= id;
    }
    if (!first) behind = 0;
    if (index.has_value()) {
      out += std::string(behind, 'x') + ">" + std::string(ids.size() - behind, ' ');
    } else {
      out += "?" + std::string(ids.size(), ' ');
    }
    out += fmt::format(" {:5}    (id={})\n", index.value_or(0), id);
  }
  return out;
}

std::string Committed(const Question& q) {
  const auto acked = [&q](uint64_t id) -> std::optional<uint64_t> {
    auto at = q.answers.find(id);
    if (at == q.answers.end()) return std::nullopt;
    return std::stoull(at->second);
  };
  const uint64_t index = JointAcked(q.incoming, q.outgoing, acked);
  std::string out = Table(AllIds(q), acked);
  if (!q.joint) {
    if (MajorityAcked(q.incoming, acked) != index) out += "differs without the joint half\n";
    if (JointAcked(q.incoming, q.incoming, acked) != index) out += "differs joined to itself\n";
  }
  if (JointAcked(q.outgoing, q.incoming, acked) != index) out += "differs when exchanged\n";
  return out + NumberText(index) + "\n";
}

std::string Vote(const Question& q) {
  const auto vote = [&q](uint64_t id) -> std::optional<bool> {
    auto at = q.answers.find(id);
    if (at == q.answers.end()) return std::nullopt;
    return at->second == "y";
  };
  const VoteResult result = JointVote(q.incoming, q.outgoing, vote);
  std::string out;
  if (JointVote(q.outgoing, q.incoming, vote) != result) out += "differs when exchanged\n";
  switch (result) {
    case VoteResult::kWon:
      return out + "VoteWon\n";
    case VoteResult::kLost:
      return out + "VoteLost\n";
    case VoteResult::kPending:
      return out + "VotePending\n";
  }
  return out;
}

}  // namespace

absl::Status RunQuorumScript(const std::string& path) {
  return RunScript(path, [](const Step& step) {
    const Question q = Parse(step);
    if (step.command == "committed") return Committed(q);
    if (step.command == "vote") return Vote(q);
    return std::string("unknown command");
  });
}

}  // namespace tikv::raft::scripts
