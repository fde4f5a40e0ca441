// Random schedules against the ledger of what Raft promises; a seed replays a failure.
#include <absl/algorithm/container.h>
#include <gtest/gtest.h>

#include <map>

#include "lib/raft/testing/cluster.h"
#include "lib/raft/testing/ledger.h"

namespace tikv::raft {
namespace {

// A schedule: at each step one thing happens somewhere.
class Schedule {
 public:
  Schedule(uint64_t seed, int voters, std::function<void(Config*)> adjust)
      : c_(voters, seed, std::move(adjust)), ledger_(&c_), dice_(seed, "schedule") {
    ledger_.Watch();
  }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      Event();
      ledger_.Check();
      CheckReads();
    }
    Heal();
  }

  uint64_t committed() const { return ledger_.committed(); }
  uint64_t answered() const { return answered_; }

 private:
  uint64_t AnyId() { return 1 + dice_.Uniform(c_.all().size()); }

  void Event() {
    const uint64_t id = AnyId();
    const uint64_t what = dice_.Uniform(1000);
    if (what < 300) {
      c_.TakeReady(id);
    } else if (what < 480) {
      c_.Persist(id);
    } else if (what < 800) {
      Network();
    } else if (what < 860) {
      if (!c_.at(id).down) c_.Tick(id);
    } else if (what < 994) {
      const uint64_t leader = c_.leader();
      Client(leader != 0 && !dice_.OneIn(4) ? leader : id);
    } else {
      Trouble(id);
    }
  }

  void Network() {
    auto& network = c_.network();
    if (network.empty()) return;
    // Mostly in order, sometimes not.
    const size_t at = dice_.OneIn(4) ? dice_.Uniform(network.size()) : 0;
    if (dice_.OneIn(50)) {
      network.erase(network.begin() + static_cast<ptrdiff_t>(at));
    } else {
      if (dice_.OneIn(50)) network.push_back(eraftpb::Message(network[at]));
      c_.Deliver(at);
    }
  }

  void Client(uint64_t id) {
    if (c_.at(id).down) return;
    RawNode& node = c_.node(id);
    if (dice_.OneIn(3)) {
      const std::string context = "r" + std::to_string(++reads_);
      asked_[context] = ledger_.committed();
      node.ReadIndex(context);
    } else if (dice_.OneIn(12) && node.IsLeader()) {
      ProposeChange(&node);
    } else {
      (void)node.Propose("p" + std::to_string(++proposals_) + ";");
    }
  }

  void ProposeChange(RawNode* node) {
    eraftpb::ConfChangeV2 change;
    if (node->conf_state().voters_outgoing().empty()) {
      const uint64_t n = 1 + dice_.Uniform(2);
      for (uint64_t i = 0; i < n; ++i) {
        eraftpb::ConfChangeSingle* single = change.add_changes();
        single->set_change_type(static_cast<eraftpb::ConfChangeType>(dice_.Uniform(3)));
        single->set_node_id(AnyId());
      }
      change.set_transition(static_cast<eraftpb::ConfChangeTransition>(dice_.Uniform(3)));
    }
    (void)node->ProposeConfChange(change);
  }

  void Trouble(uint64_t id) {
    Replica& r = c_.at(id);
    switch (dice_.Uniform(8)) {
      case 0:
        if (!r.down && Down() < 2) c_.Crash(id);
        break;
      case 1:
      case 2:
        if (r.down) c_.Restart(id);
        break;
      case 3:
        if (c_.isolated().size() < 2) c_.isolated().insert(id);
        break;
      case 4:
        c_.isolated().clear();
        break;
      case 5:
        if (!r.down) c_.node(id).TransferLeader(AnyId());
        break;
      case 6:
        c_.Compact(id, r.applied_index);
        break;
      default:
        if (r.down) break;
        c_.node(id).ReportUnreachable(AnyId());
        c_.node(id).ReportSnapshot(AnyId(), dice_.OneIn(2));
        if (dice_.OneIn(4)) c_.node(id).Campaign();
    }
  }

  size_t Down() {
    size_t down = 0;
    for (auto& [id, replica] : c_.all()) down += replica.down ? 1 : 0;
    return down;
  }

  // A read sees every write that was applied anywhere before it was asked.
  void CheckReads() {
    for (auto& [id, replica] : c_.all()) {
      for (const ReadState& read : replica.reads) {
        ASSERT_GE(read.index, asked_.at(read.context)) << "a stale read " << read.context;
        ++answered_;
      }
      replica.reads.clear();
    }
  }

  void Heal() {
    c_.isolated().clear();
    for (auto& [id, replica] : c_.all()) {
      if (replica.down) c_.Restart(id);
    }
    for (int i = 0; i < 300; ++i) {
      c_.TickAll();
      ledger_.Check();
      // Snapshots that were lost are reported by their senders.
      for (auto& [id, replica] : c_.all()) {
        for (auto& [other, unused] : c_.all()) replica.node->ReportSnapshot(other, false);
      }
    }
    StopTheRemoved();
    c_.TickAll(60);
    const uint64_t leader = c_.leader();
    ASSERT_NE(leader, 0u) << "no leader after all faults ended" << States();
    ASSERT_TRUE(c_.node(leader).Propose("last").ok());
    c_.TickAll(10);
    const eraftpb::ConfState conf = c_.at(leader).conf;
    for (uint64_t id : conf.voters()) {
      EXPECT_EQ(c_.at(id).applied_index, c_.at(leader).applied_index) << "voter " << id;
      EXPECT_EQ(c_.at(id).state, c_.at(leader).state) << "voter " << id;
    }
  }

  // Whoever was removed without hearing of it campaigns for ever; without pre-vote that disturbs.
  void StopTheRemoved() {
    const Replica* newest = &c_.at(1);
    for (auto& [id, replica] : c_.all()) {
      if (replica.applied_index > newest->applied_index) newest = &replica;
    }
    const eraftpb::ConfState conf = newest->conf;
    for (auto& [id, replica] : c_.all()) {
      const bool member = absl::c_linear_search(conf.voters(), id) ||
                          absl::c_linear_search(conf.voters_outgoing(), id) ||
                          absl::c_linear_search(conf.learners(), id);
      if (!member) c_.Crash(id);
    }
  }

  std::string States() {
    std::string text;
    for (auto& [id, replica] : c_.all()) {
      if (replica.down) continue;
      const Status s = replica.node->GetStatus();
      text += "\n" + std::to_string(id) + ": " + std::string(RoleName(s.soft_state.role)) + " " +
              s.hard_state.ShortDebugString() + " applied " + std::to_string(s.applied) + " last " +
              std::to_string(s.last_index) + " " + s.conf_state.ShortDebugString();
    }
    return text;
  }

  Cluster c_;
  Ledger ledger_;
  Random dice_;
  uint64_t proposals_ = 0;
  uint64_t reads_ = 0;
  uint64_t answered_ = 0;
  std::map<std::string, uint64_t> asked_;
};

void RunSeeds(int voters, uint64_t first, uint64_t count, std::function<void(Config*)> adjust) {
  uint64_t committed = 0;
  uint64_t answered = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Schedule schedule(seed, voters, adjust);
    schedule.Run(8000);
    committed += schedule.committed();
    answered += schedule.answered();
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(committed, count * 30) << "the schedules hardly let anything happen";
  EXPECT_GT(answered, count * 5) << "the schedules hardly let anything happen";
}

void Small(Config* c) {
  c->election_tick = 5;
  c->heartbeat_tick = 1;
  c->max_size_per_message = 40;
  c->max_committed_size_per_ready = 60;
  c->max_inflight_messages = 3;
}

TEST(Safety, ThreeVoters) { RunSeeds(3, 1, 12, Small); }

TEST(Safety, FiveVoters) { RunSeeds(5, 100, 8, Small); }

TEST(Safety, WritesBeforeItApplies) {
  RunSeeds(3, 200, 8, [](Config* c) {
    Small(c);
    c->async_storage = false;
  });
}

TEST(Safety, WithoutPreVoteAndCheckQuorum) {
  RunSeeds(5, 300, 8, [](Config* c) {
    Small(c);
    c->pre_vote = c->check_quorum = false;
  });
}

TEST(Safety, ForwardsProposals) {
  RunSeeds(4, 400, 8, [](Config* c) {
    Small(c);
    c->disable_proposal_forwarding = false;
    c->max_uncommitted_size = 100;
  });
}

}  // namespace
}  // namespace tikv::raft
