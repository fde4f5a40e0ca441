#include "lib/raft/scripts/world.h"

#include <fmt/format.h>

#include <sstream>

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace tikv::raft::scripts {
namespace {

constexpr const char* kLevels[] = {"debug", "info", "warn", "error", "fatal", "none"};
constexpr const char* kPrefixes[] = {"DEBUG ", "INFO ", "WARN ", "ERROR "};

Letter PeerLetter(eraftpb::Message m) {
  Letter letter;
  letter.to = m.to();
  letter.message = std::move(m);
  return letter;
}

void SetEntries(Letter* letter, const std::vector<eraftpb::Entry>& entries) {
  for (const eraftpb::Entry& entry : entries) *letter->message.add_entries() = entry;
}

// The scripts' words for a message that was not accepted.
std::string StepErrorText(const absl::Status& s) {
  if (absl::IsNotFound(s)) return "raft: cannot step as peer not found";
  if (absl::IsUnavailable(s) || absl::IsResourceExhausted(s)) return "raft proposal dropped";
  return std::string(Message(s));
}

}  // namespace

void Output::Write(Level level, const std::string& text) {
  Print(kPrefixes[static_cast<int>(level)] + text + "\n");
}

void Output::Indented(const std::function<void()>& f) {
  std::string before = std::exchange(text_, {});
  f();
  std::istringstream lines(std::exchange(text_, std::move(before)));
  for (std::string line; std::getline(lines, line);) text_ += "  " + line + "\n";
}

bool Output::SetLevel(const std::string& name) {
  for (int i = 0; i <= kNone; ++i) {
    if (name == kLevels[i]) {
      level_ = i;
      return true;
    }
  }
  return false;
}

absl::Status World::AddNodes(uint64_t n, const Config& config, const eraftpb::Snapshot& start) {
  for (uint64_t i = 0; i < n; ++i) {
    auto node = std::make_unique<Node>();
    node->config = config;
    node->config.id = nodes_.size() + 1;
    node->config.log = out_;
    node->history.push_back(start);
    node->storage = std::make_unique<ScriptStorage>(&node->history);
    node->storage->ApplySnapshot(start);
    ASSIGN_OR_RETURN(node->raft, RawNode::Create(node->config, node->storage.get(), &random_));
    nodes_.push_back(std::move(node));
  }
  return absl::OkStatus();
}

std::optional<Letter> World::AppendLetter(uint64_t id, const Ready& ready) {
  if (ready.NothingToWrite() && ready.after_persist.messages.empty()) return std::nullopt;
  Letter letter;
  letter.kind = Letter::Kind::kAppend;
  letter.to = id;
  if (ready.hard_state) {
    letter.message.set_term(ready.hard_state->term());
    letter.message.set_commit(ready.hard_state->commit());
    letter.message.set_from(ready.hard_state->vote());
  }
  SetEntries(&letter, ready.entries);
  if (ready.snapshot) *letter.message.mutable_snapshot() = *ready.snapshot;
  for (const eraftpb::Message& m : ready.after_persist.messages) {
    letter.responses.push_back(PeerLetter(m));
  }
  if (ready.after_persist.ack) {
    const AppendAck& a = *ready.after_persist.ack;
    Letter ack;
    ack.kind = Letter::Kind::kAppendAck;
    ack.to = id;
    ack.message.set_term(a.term);
    ack.message.set_log_term(a.log_term);
    ack.message.set_index(a.index);
    if (ready.snapshot) *ack.message.mutable_snapshot() = *ready.snapshot;
    ack.after.ack = a;
    letter.responses.push_back(std::move(ack));
  }
  return letter;
}

Letter World::ApplyLetter(uint64_t id, const std::vector<eraftpb::Entry>& entries) {
  Letter letter;
  letter.kind = Letter::Kind::kApply;
  letter.to = id;
  SetEntries(&letter, entries);
  Letter ack = letter;
  ack.kind = Letter::Kind::kApplyAck;
  letter.responses.push_back(std::move(ack));
  return letter;
}

void World::ProcessReady(uint64_t id) {
  Node& n = node(id);
  Ready ready = n.raft->TakeReady();
  std::vector<Letter> letters;
  for (eraftpb::Message& m : ready.messages) letters.push_back(PeerLetter(std::move(m)));
  if (!n.config.async_storage) {
    for (const eraftpb::Message& m : ready.after_persist.messages) {
      if (m.to() != id) letters.push_back(PeerLetter(m));
    }
    out_->Print(Describe(ready, letters));
    Write(&n, ready);
    Apply(&n, ready.committed_entries);
    for (Letter& letter : letters) Post(std::move(letter));
    (void)n.raft->OnPersisted(std::move(ready.after_persist));
    if (!ready.committed_entries.empty()) {
      n.raft->OnApplied(ready.committed_entries.back().index());
    }
    return;
  }
  const size_t to_peers = letters.size();
  const std::optional<Letter> append = AppendLetter(id, ready);
  if (append) letters.push_back(*append);
  if (!ready.committed_entries.empty()) {
    letters.push_back(ApplyLetter(id, ready.committed_entries));
    n.apply_work.push_back(letters.back());
  }
  out_->Print(Describe(ready, letters));
  for (size_t i = 0; i < to_peers; ++i) Post(std::move(letters[i]));
  if (append) n.append_work.emplace_back(*append, std::move(ready));
}

void World::ProcessAppendThread(uint64_t id) {
  Node& n = node(id);
  if (n.append_work.empty()) {
    out_->Print("no append work to perform");
    return;
  }
  auto [letter, ready] = std::move(n.append_work.front());
  n.append_work.pop_front();
  std::vector<Letter> responses = std::exchange(letter.responses, {});
  out_->Print("Processing:\n" + Describe(letter) + "\n");
  Write(&n, ready);
  out_->Print("Responses:\n");
  for (Letter& response : responses) {
    out_->Print(Describe(response) + "\n");
    Post(std::move(response));
  }
}

void World::ProcessApplyThread(uint64_t id) {
  Node& n = node(id);
  if (n.apply_work.empty()) {
    out_->Print("no apply work to perform");
    return;
  }
  Letter letter = std::move(n.apply_work.front());
  n.apply_work.pop_front();
  std::vector<Letter> responses = std::exchange(letter.responses, {});
  out_->Print("Processing:\n" + Describe(letter) + "\n");
  Apply(&n, {letter.message.entries().begin(), letter.message.entries().end()});
  out_->Print("Responses:\n");
  for (Letter& response : responses) {
    out_->Print(Describe(response) + "\n");
    Post(std::move(response));
  }
}

void World::Write(Node* n, const Ready& ready) {
  if (ready.hard_state) n->storage->SetHardState(*ready.hard_state);
  if (ready.snapshot) {
    CHECK(ready.entries.empty()) << "a snapshot and entries in one Ready";
    n->storage->ApplySnapshot(*ready.snapshot);
  }
  n->storage->Append(ready.entries);
}

void World::Apply(Node* n, const std::vector<eraftpb::Entry>& entries) {
  for (const eraftpb::Entry& entry : entries) {
    eraftpb::Snapshot next = n->history.back();
    absl::StatusOr<eraftpb::ConfState> conf = next.metadata().conf_state();
    std::string update = entry.data();
    if (entry.entry_type() == eraftpb::EntryConfChange) {
      eraftpb::ConfChange change;
      CHECK(change.ParseFromString(entry.data()));
      update = change.context();
      conf = n->raft->ApplyConfChange(change);
    } else if (entry.entry_type() == eraftpb::EntryConfChangeV2) {
      eraftpb::ConfChangeV2 change;
      CHECK(change.ParseFromString(entry.data()));
      update = change.context();
      conf = n->raft->ApplyConfChange(change);
    }
    CHECK_OK(conf);
    next.mutable_data()->append(update);
    next.mutable_metadata()->set_index(entry.index());
    next.mutable_metadata()->set_term(entry.term());
    *next.mutable_metadata()->mutable_conf_state() = *conf;
    n->history.push_back(std::move(next));
  }
}

bool World::HasMessages(uint64_t to) const {
  for (const Letter& letter : messages_) {
    if (letter.to == to) return true;
  }
  return false;
}

size_t World::DeliverMessages(std::string_view type, uint64_t to, bool drop) {
  std::vector<Letter> mine;
  std::vector<Letter> others;
  for (Letter& letter : messages_) {
    const bool match =
        letter.to == to && !(drop && letter.local()) && (type.empty() || letter.type() == type);
    (match ? mine : others).push_back(std::move(letter));
  }
  messages_ = std::move(others);
  for (Letter& letter : mine) {
    out_->Print((drop ? "dropped: " : "") + Describe(letter) + "\n");
    if (!drop) DeliverOne(std::move(letter));
  }
  return mine.size();
}

void World::DeliverOne(Letter letter) {
  RawNode& raft = *node(letter.to).raft;
  if (letter.kind == Letter::Kind::kApplyAck) {
    raft.OnApplied(letter.message.entries().rbegin()->index());
  } else if (letter.local()) {
    if (letter.kind == Letter::Kind::kPeer) letter.after.messages.push_back(letter.message);
    (void)raft.OnPersisted(std::move(letter.after));
  } else {
    const absl::Status s = raft.Step(std::move(letter.message));
    if (!s.ok()) out_->Print(StepErrorText(s) + "\n");
  }
  raft.CheckInvariants();
}

void World::Stabilize(std::vector<uint64_t> ids) {
  if (ids.empty()) {
    for (uint64_t id = 1; id <= nodes_.size(); ++id) ids.push_back(id);
  }
  for (bool moved = true; moved;) {
    moved = false;
    const auto header = [&](uint64_t id, const char* what) {
      out_->Print(fmt::format("> {} {}\n", id, what));
      moved = true;
    };
    for (uint64_t id : ids) {
      if (!node(id).raft->HasReady()) continue;
      header(id, "handling Ready");
      out_->Indented([&] { ProcessReady(id); });
    }
    for (uint64_t id : ids) {
      if (!HasMessages(id)) continue;
      header(id, "receiving messages");
      out_->Indented([&] { DeliverMessages({}, id, false); });
    }
    for (uint64_t id : ids) {
      if (node(id).append_work.empty()) continue;
      header(id, "processing append thread");
      while (!node(id).append_work.empty()) out_->Indented([&] { ProcessAppendThread(id); });
    }
    for (uint64_t id : ids) {
      if (node(id).apply_work.empty()) continue;
      header(id, "processing apply thread");
      while (!node(id).apply_work.empty()) out_->Indented([&] { ProcessApplyThread(id); });
    }
  }
}

}  // namespace tikv::raft::scripts
