// The replicas of an interaction script, their storages, threads and the network between them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/env/random.h"
#include "lib/raft/event_log.h"
#include "lib/raft/memory_storage.h"
#include "lib/raft/raw_node.h"
#include "lib/raft/scripts/describe.h"

namespace tikv::raft::scripts {

// What a step prints: its own lines, and the replicas' logs from a level on.
class Output : public EventLog {
 public:
  bool Enabled(Level level) const override { return static_cast<int>(level) >= level_; }
  void Write(Level level, const std::string& text) override;

  void Print(const std::string& text) {
    if (!quiet()) text_ += text;
  }
  // What `f` prints, with two spaces before each line.
  void Indented(const std::function<void()>& f);

  static constexpr int kNone = 5;
  bool quiet() const { return level_ == kNone; }
  int level() const { return level_; }
  void set_level(int level) { level_ = level; }
  bool SetLevel(const std::string& name);
  std::string Take() { return std::exchange(text_, {}); }

 private:
  int level_ = 0;
  std::string text_;
};

// Offers, as snapshots, the state after each applied entry.
class ScriptStorage : public MemoryStorage {
 public:
  explicit ScriptStorage(std::vector<eraftpb::Snapshot>* history) : history_(history) {}
  absl::StatusOr<eraftpb::Snapshot> Snapshot(uint64_t, uint64_t) override {
    return history_->back();
  }

 private:
  std::vector<eraftpb::Snapshot>* history_;
};

// One replica with its storage and its two threads' queues.
struct Node {
  Config config;
  std::vector<eraftpb::Snapshot> history;
  std::unique_ptr<ScriptStorage> storage;
  std::unique_ptr<RawNode> raft;
  std::deque<std::pair<Letter, Ready>> append_work;
  std::deque<Letter> apply_work;
};

// Owns the nodes and the messages between them; prints to `out`, which must outlive it.
class World {
 public:
  explicit World(Output* out) : out_(out) {}

  absl::Status AddNodes(uint64_t n, const Config& config, const eraftpb::Snapshot& start);
  Node& node(uint64_t id) { return *nodes_.at(id - 1); }
  std::vector<std::unique_ptr<Node>>& nodes() { return nodes_; }

  void ProcessReady(uint64_t id);
  void ProcessAppendThread(uint64_t id);
  void ProcessApplyThread(uint64_t id);
  // Delivers, or drops, what is addressed to `to`, of one type or (empty) all; says how many.
  size_t DeliverMessages(std::string_view type, uint64_t to, bool drop);
  void Stabilize(std::vector<uint64_t> ids);
  void Post(Letter letter) { messages_.push_back(std::move(letter)); }

 private:
  bool HasMessages(uint64_t to) const;
  void DeliverOne(Letter letter);
  void Write(Node* node, const Ready& ready);
  void Apply(Node* node, const std::vector<eraftpb::Entry>& entries);
  std::optional<Letter> AppendLetter(uint64_t id, const Ready& ready);
  Letter ApplyLetter(uint64_t id, const std::vector<eraftpb::Entry>& entries);

  Output* out_;
  Random random_{1, "scripts"};
  std::vector<std::unique_ptr<Node>> nodes_;  // of id 1, 2, ...
  std::vector<Letter> messages_;
};

}  // namespace tikv::raft::scripts
