// The commands of the interaction scripts.
#include <fmt/format.h>

#include <limits>

#include "lib/base/status.h"
#include "lib/raft/scripts/script.h"
#include "lib/raft/scripts/suites.h"
#include "lib/raft/scripts/world.h"

namespace tikv::raft::scripts {
namespace {

class Suite {
 public:
  std::string Handle(const Step& step) {
    const absl::Status s = Run(step);
    std::string text = out_.Take();
    if (!s.ok()) text += std::string(Message(s));
    return text.empty() ? "ok" : text;
  }

 private:
  absl::Status Run(const Step& step);
  absl::Status AddNodes(const Step& step);
  absl::Status ProposeConfChange(const Step& step);
  absl::Status Stabilize(const Step& step);
  absl::Status DeliverMessages(const Step& step);
  absl::Status EachOf(const Step& step, const char* what, void (World::*process)(uint64_t));
  void RaftLog(uint64_t id);
  void RaftState();
  void PrintStatus(uint64_t id);
  void SendSnapshot(uint64_t from, uint64_t to);

  static uint64_t First(const Step& step) { return std::stoull(step.args.at(0).key); }
  static uint64_t Second(const Step& step) { return std::stoull(step.args.at(1).key); }
  RawNode& raft(uint64_t id) { return *world_.node(id).raft; }
  void Ticks(uint64_t id, int n) {
    for (int i = 0; i < n; ++i) raft(id).Tick();
  }

  Output out_;
  World world_{&out_};
};

// A proposal as a client that is no replica sends it.
absl::Status Proposed(const absl::Status& s) {
  return absl::IsUnavailable(s) || absl::IsResourceExhausted(s)
             ? Unavailable("raft proposal dropped")
             : s;
}

absl::Status Suite::Run(const Step& step) {
  const std::string& c = step.command;
  if (c == "log-level") {
    if (!out_.SetLevel(step.args.at(0).key)) return InvalidArgument("unknown log level");
    return absl::OkStatus();
  }
  if (c == "raft-state") return RaftState(), absl::OkStatus();
  if (c == "add-nodes") return AddNodes(step);
  if (c == "stabilize") return Stabilize(step);
  if (c == "deliver-msgs") return DeliverMessages(step);
  if (c == "process-ready") return EachOf(step, "handling Ready", &World::ProcessReady);
  if (c == "process-append-thread") {
    return EachOf(step, "processing append thread", &World::ProcessAppendThread);
  }
  if (c == "process-apply-thread") {
    return EachOf(step, "processing apply thread", &World::ProcessApplyThread);
  }
  if (c == "transfer-leadership") {
    raft(std::stoull(step.Find("from")->values.at(0)))
        .TransferLeader(std::stoull(step.Find("to")->values.at(0)));
    return absl::OkStatus();
  }
  const uint64_t id = First(step);
  const Config& config = world_.node(id).config;
  if (c == "campaign") return raft(id).Campaign(), absl::OkStatus();
  if (c == "forget-leader") return raft(id).ForgetLeader(), absl::OkStatus();
  if (c == "tick-election") return Ticks(id, config.election_tick), absl::OkStatus();
  if (c == "tick-heartbeat") return Ticks(id, config.heartbeat_tick), absl::OkStatus();
  if (c == "propose") return Proposed(raft(id).Propose(step.args.at(1).key).status());
  if (c == "propose-conf-change") return ProposeConfChange(step);
  if (c == "raft-log") return RaftLog(id), absl::OkStatus();
  if (c == "status") return PrintStatus(id), absl::OkStatus();
  if (c == "report-unreachable") return raft(id).ReportUnreachable(Second(step)), absl::OkStatus();
  if (c == "send-snapshot") return SendSnapshot(id, Second(step)), absl::OkStatus();
  if (c == "set-randomized-election-timeout") {
    raft(id).SetElectionTimeout(std::stoi(step.Find("timeout")->values.at(0)));
    return absl::OkStatus();
  }
  if (c == "compact") {
    world_.node(id).storage->Compact(Second(step), {}, {});
    return RaftLog(id), absl::OkStatus();
  }
  return InvalidArgument("unknown command");
}

absl::Status Suite::AddNodes(const Step& step) {
  Config config;
  config.election_tick = 3;
  config.heartbeat_tick = 1;
  config.max_size_per_message = std::numeric_limits<uint64_t>::max();
  config.max_committed_size_per_ready = std::numeric_limits<uint64_t>::max();
  config.max_inflight_messages = std::numeric_limits<int32_t>::max();
  config.check_quorum = config.pre_vote = config.step_down_on_removal = false;
  config.async_storage = config.disable_proposal_forwarding = false;
  eraftpb::Snapshot start;
  eraftpb::SnapshotMetadata* meta = start.mutable_metadata();
  for (const Arg& arg : step.args) {
    for (const std::string& value : arg.values) {
      const bool yes = value == "true";
      if (arg.key == "voters") {
        meta->mutable_conf_state()->add_voters(std::stoull(value));
      } else if (arg.key == "learners") {
        meta->mutable_conf_state()->add_learners(std::stoull(value));
      } else if (arg.key == "index") {
        config.applied = std::stoull(value);
        meta->set_index(config.applied);
        meta->set_term(1);
      } else if (arg.key == "content") {
        start.set_data(value);
      } else if (arg.key == "inflight") {
        config.max_inflight_messages = std::stoull(value);
      } else if (arg.key == "max-committed-size-per-ready") {
        config.max_committed_size_per_ready = std::stoull(value);
      } else if (arg.key == "async-storage-writes") {
        config.async_storage = yes;
      } else if (arg.key == "prevote") {
        config.pre_vote = yes;
      } else if (arg.key == "checkquorum") {
        config.check_quorum = yes;
      } else if (arg.key == "disable-conf-change-validation") {
        config.disable_conf_change_validation = yes;
      } else if (arg.key == "step-down-on-removal") {
        config.step_down_on_removal = yes;
      } else if (arg.key == "read-only") {
        config.read_only =
            value == "lease-based" ? ReadOnlyOption::kLeaseBased : ReadOnlyOption::kSafe;
      } else {
        return InvalidArgument("unknown option {}", arg.key);
      }
    }
  }
  return world_.AddNodes(First(step), config, start);
}

absl::Status Suite::ProposeConfChange(const Step& step) {
  ASSIGN_OR_RETURN(const Changes changes, ParseChanges(step.input));
  RawNode& node = raft(First(step));
  eraftpb::Entry entry;
  absl::Status s;
  const Arg* v1 = step.Find("v1");
  if (v1 != nullptr && v1->values.at(0) == "true") {
    eraftpb::ConfChange change;
    change.set_change_type(changes.Get(0).change_type());
    change.set_node_id(changes.Get(0).node_id());
    entry.set_entry_type(eraftpb::EntryConfChange);
    entry.set_data(change.SerializeAsString());
    s = node.ProposeConfChange(change).status();
  } else {
    eraftpb::ConfChangeV2 change;
    *change.mutable_changes() = changes;
    const Arg* transition = step.Find("transition");
    const std::string how = transition == nullptr ? "auto" : transition->values.at(0);
    if (how == "implicit") change.set_transition(eraftpb::Implicit);
    if (how == "explicit") change.set_transition(eraftpb::Explicit);
    entry.set_entry_type(eraftpb::EntryConfChangeV2);
    entry.set_data(change.SerializeAsString());
    s = node.ProposeConfChange(change).status();
  }
  if (absl::IsFailedPrecondition(s)) {
    // The scripts want to see it travel as an empty entry, as one does that was forwarded.
    eraftpb::Message m;
    m.set_msg_type(eraftpb::MsgPropose);
    m.set_to(node.id());
    m.set_from(1000);
    m.add_entries()->Swap(&entry);
    s = node.Step(std::move(m));
  }
  return Proposed(s);
}

absl::Status Suite::Stabilize(const Step& step) {
  const int level = out_.level();
  const Arg* wanted = step.Find("log-level");
  if (wanted != nullptr && !out_.SetLevel(wanted->values.at(0))) {
    return InvalidArgument("unknown log level");
  }
  world_.Stabilize(step.Numbers());
  out_.set_level(level);
  return absl::OkStatus();
}

absl::Status Suite::DeliverMessages(const Step& step) {
  const Arg* type = step.Find("type");
  const std::string wanted = type == nullptr ? "" : type->values.at(0);
  size_t n = 0;
  for (uint64_t id : step.Numbers()) n += world_.DeliverMessages(wanted, id, false);
  if (const Arg* drop = step.Find("drop")) {
    for (const std::string& id : drop->values) {
      n += world_.DeliverMessages(wanted, std::stoull(id), true);
    }
  }
  if (n == 0) out_.Print("no messages\n");
  return absl::OkStatus();
}

absl::Status Suite::EachOf(const Step& step, const char* what, void (World::*process)(uint64_t)) {
  const std::vector<uint64_t> ids = step.Numbers();
  for (uint64_t id : ids) {
    if (ids.size() == 1) {
      (world_.*process)(id);
      continue;
    }
    out_.Print(fmt::format("> {} {}\n", id, what));
    out_.Indented([&] { (world_.*process)(id); });
  }
  return absl::OkStatus();
}

void Suite::RaftLog(uint64_t id) {
  MemoryStorage& storage = *world_.node(id).storage;
  const uint64_t first = storage.FirstIndex();
  const uint64_t last = storage.LastIndex();
  if (last < first) {
    out_.Print(fmt::format("log is empty: first index={}, last index={}", first, last));
    return;
  }
  std::vector<eraftpb::Entry> entries;
  (void)storage.Entries(first, last + 1, std::numeric_limits<uint64_t>::max(), &entries);
  out_.Print(Describe(entries));
}

void Suite::RaftState() {
  for (const auto& n : world_.nodes()) {
    const Status s = n->raft->GetStatus();
    bool voter = false;
    for (uint64_t id : s.conf_state.voters()) voter |= id == s.id;
    for (uint64_t id : s.conf_state.voters_outgoing()) voter |= id == s.id;
    out_.Print(fmt::format("{}: {} ({}) Term:{} Lead:{}\n", s.id, RoleName(s.soft_state.role),
                           voter ? "Voter" : "Non-Voter", s.hard_state.term(),
                           s.soft_state.leader));
  }
}

void Suite::PrintStatus(uint64_t id) {
  for (const PeerStatus& peer : raft(id).GetStatus().peers) {
    out_.Print(fmt::format("{}: {}\n", peer.id, PeerText(peer)));
  }
}

void Suite::SendSnapshot(uint64_t from, uint64_t to) {
  Letter letter;
  letter.to = to;
  letter.message.set_msg_type(eraftpb::MsgSnapshot);
  letter.message.set_from(from);
  letter.message.set_to(to);
  letter.message.set_term(raft(from).term());
  *letter.message.mutable_snapshot() = world_.node(from).history.back();
  out_.Print(Describe(letter));
  world_.Post(std::move(letter));
}

}  // namespace

absl::Status RunInteractionScript(const std::string& path) {
  Suite suite;
  return RunScript(path, [&suite](const Step& step) { return suite.Handle(step); });
}

}  // namespace tikv::raft::scripts
