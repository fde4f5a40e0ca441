// Leases in simulated time: while a leader may serve reads on its lease, no other leader exists.
#include <gtest/gtest.h>

#include "lib/raft/testing/cluster.h"

namespace tikv::raft {
namespace {

constexpr uint64_t kTick = 100;  // ms; with election_tick 10 the lease lasts (10 - 1) ticks
constexpr uint64_t kLease = 900;

// Milliseconds pass one by one; messages take random times, some very long; replicas crash, come
// back at once or late, get isolated, hand leadership over.
class Simulation {
 public:
  Simulation(uint64_t seed, int voters)
      : c_(voters, seed, [this](Config* c) { c->restarted = running_; }), dice_(seed, "lease") {
    for (auto& [id, replica] : c_.all()) {
      phase_[id] = dice_.Uniform(kTick);
      up_at_[id] = 0;
    }
    running_ = true;
  }

  void Run(uint64_t ms) {
    for (now_ = 1; now_ <= ms && !::testing::Test::HasFatalFailure(); ++now_) {
      for (auto& [id, replica] : c_.all()) Replica1ms(id, &replica);
      DeliverSome();
      if (dice_.OneIn(400)) Trouble();
      CheckLeases();
    }
  }

  double share_with_lease() const {
    return static_cast<double>(with_lease_) / static_cast<double>(now_);
  }
  int leaders() const { return leaders_; }

 private:
  void Replica1ms(uint64_t id, Replica* replica) {
    if (replica->down) {
      if (now_ < up_at_[id]) return;
      c_.Restart(id);
    }
    replica->node->SetStamp(now_);
    if (now_ % kTick == phase_[id]) {
      replica->node->Tick();
      if (replica->node->IsLeader() && dice_.OneIn(4)) (void)replica->node->Propose("x");
    }
    while (dice_.OneIn(2) && c_.TakeReady(id)) {
    }
    while (dice_.OneIn(2) && c_.Persist(id)) {
    }
  }

  void DeliverSome() {
    auto& network = c_.network();
    for (size_t i = 0; i < network.size();) {
      if (dice_.OneIn(15)) {
        if (dice_.OneIn(3)) network.push_back(eraftpb::Message(network[i]));  // a late twin
        c_.Deliver(i);
      } else {
        ++i;
      }
    }
    while (network.size() > 300) network.erase(network.begin());
  }

  void Trouble() {
    const uint64_t id = 1 + dice_.Uniform(c_.all().size());
    Replica& r = c_.at(id);
    switch (dice_.Uniform(6)) {
      case 0:
      case 1:
        if (r.down) break;
        c_.Crash(id);
        up_at_[id] = now_ + dice_.Between(1, dice_.OneIn(2) ? 50 : 3000);
        break;
      case 2:
        c_.isolated() = {id};
        break;
      case 3:
        c_.isolated().clear();
        break;
      default:
        if (!r.down) r.node->TransferLeader(1 + dice_.Uniform(c_.all().size()));
    }
  }

  void CheckLeases() {
    uint64_t newest_term = 0;
    for (auto& [id, replica] : c_.all()) {
      if (replica.down || !replica.node->IsLeader()) continue;
      newest_term = std::max(newest_term, replica.node->term());
    }
    if (newest_term > last_term_) {
      last_term_ = newest_term;
      ++leaders_;
    }
    for (auto& [id, replica] : c_.all()) {
      if (replica.down) continue;
      const uint64_t stamp = replica.node->LeaseStamp();
      if (stamp == 0 || stamp + kLease <= now_) continue;
      ++with_lease_;
      ASSERT_EQ(replica.node->term(), newest_term)
          << "at " << now_ << " ms replica " << id << " holds a lease from " << stamp
          << " beside a newer leader";
    }
  }

  bool running_ = false;
  Cluster c_;
  Random dice_;
  uint64_t now_ = 0;
  uint64_t last_term_ = 0;
  uint64_t with_lease_ = 0;
  int leaders_ = 0;
  std::map<uint64_t, uint64_t> phase_;
  std::map<uint64_t, uint64_t> up_at_;
};

void RunSeeds(int voters, uint64_t first, uint64_t count) {
  double share = 0;
  int leaders = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation simulation(seed, voters);
    simulation.Run(60'000);
    if (::testing::Test::HasFatalFailure()) return;
    share += simulation.share_with_lease() / static_cast<double>(count);
    leaders += simulation.leaders();
  }
  EXPECT_GT(share, 0.3) << "leases are hardly ever held";
  EXPECT_GT(leaders, static_cast<int>(count) * 5) << "leaders hardly ever change";
}

TEST(Lease, NeverBesideANewerLeaderOfThree) { RunSeeds(3, 1, 10); }
TEST(Lease, NeverBesideANewerLeaderOfFive) { RunSeeds(5, 50, 4); }

TEST(Lease, NeedsACommittedEntryOfItsTermAndAQuorum) {
  Cluster c(3, 1);
  for (uint64_t id : {1, 2, 3}) c.node(id).SetStamp(100);
  c.node(1).Campaign();
  EXPECT_EQ(c.node(1).LeaseStamp(), 0u);
  c.Settle();
  ASSERT_TRUE(c.node(1).IsLeader());
  EXPECT_EQ(c.node(1).LeaseStamp(), 0u) << "nothing was acknowledged yet";
  c.node(1).Ping();
  c.node(1).SetStamp(150);
  c.Settle();
  EXPECT_EQ(c.node(1).LeaseStamp(), 100u) << "the stamp of the sending counts";
  c.isolated() = {2, 3};
  c.node(1).SetStamp(200);
  c.node(1).Ping();
  c.Settle();
  EXPECT_EQ(c.node(1).LeaseStamp(), 100u);
  EXPECT_EQ(c.node(2).LeaseStamp(), 0u);
}

TEST(Lease, IsVoidDuringAndJustAfterATransfer) {
  Cluster c(3, 1);
  c.Elect(1);
  c.node(1).SetStamp(10);
  c.node(1).Ping();
  c.Settle();
  ASSERT_EQ(c.node(1).LeaseStamp(), 10u);
  c.filter = [](const eraftpb::Message& m) { return m.msg_type() == eraftpb::MsgTimeoutNow; };
  c.node(1).TransferLeader(2);
  c.Settle();
  EXPECT_EQ(c.node(1).LeaseStamp(), 0u);
  c.isolated() = {2};
  c.TickAll(11);  // the transfer is given up, but its target has not answered since
  ASSERT_EQ(c.node(1).transferee(), 0u);
  ASSERT_TRUE(c.node(1).IsLeader());
  EXPECT_EQ(c.node(1).LeaseStamp(), 0u);
  c.isolated().clear();
  c.node(1).SetStamp(20);
  c.node(1).Ping();
  c.Settle();
  EXPECT_EQ(c.node(1).LeaseStamp(), 20u);
}

TEST(Lease, OneVoterNeedsNobody) {
  Cluster c(1, 1);
  c.Elect(1);
  c.node(1).SetStamp(5);
  EXPECT_EQ(c.node(1).LeaseStamp(), 5u);
}

TEST(Lease, ARestartedReplicaHoldsItsVoteBack) {
  Cluster c(3, 1);
  c.Elect(1);
  c.at(2).config.restarted = true;
  c.Crash(2);
  c.Restart(2);
  c.isolated() = {1};
  c.Elect(3);
  EXPECT_FALSE(c.node(3).IsLeader()) << "2 may have acknowledged a heartbeat before its crash";
  for (int i = 0; i < 10; ++i) c.node(2).Tick();
  for (int i = 0; i < 10; ++i) c.node(3).Tick();
  c.Elect(3);
  EXPECT_TRUE(c.node(3).IsLeader());
}

}  // namespace
}  // namespace tikv::raft
